//go:build unix && !linux

package up

import (
	"golang.org/x/sys/unix"
)

// redirect makes descriptor to another one of from's file.
func redirect(from, to int) error { return unix.Dup2(from, to) }
