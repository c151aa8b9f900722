//go:build unix

package output

import (
	"errors"
	"syscall"
)

// nobodyReads reports that a write has failed because its reader has gone.
func nobodyReads(err error) bool { return errors.Is(err, syscall.EPIPE) }
