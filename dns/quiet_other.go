//go:build !linux

package dns

import (
	"errors"
	"os"
)

// Leases are a thing of Linux; see quiet_linux.go.

func readLease(*os.File) error  { return errors.ErrUnsupported }
func writeLease(*os.File) error { return errors.ErrUnsupported }
func unlease(*os.File)          {}
func leaseHeld(*os.File) bool   { return true }
