//go:build !linux

package intercept

import "errors"

const canSeeListeners = false

// listening is not known here.
func listening(uint16) ([]socket, error) { return nil, errors.ErrUnsupported }
