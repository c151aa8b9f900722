//go:build !linux

package command

import "errors"

// Keeper is an argument of this executable that means something on Linux only.
const Keeper = "command-keeper"

// Keep is for Linux.
func Keep([]string) error { return errors.ErrUnsupported }
