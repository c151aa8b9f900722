//go:build !linux && !darwin

package helper

import "errors"

func peerOf(int) (peer, error) { return peer{}, errors.ErrUnsupported }
