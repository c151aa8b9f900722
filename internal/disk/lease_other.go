//go:build !linux

package disk

import (
	"errors"
	"os"
)

// Leases are a thing of Linux; see lease_linux.go.

func readLease(*os.File) error  { return errors.ErrUnsupported }
func writeLease(*os.File) error { return errors.ErrUnsupported }
func unlease(*os.File)          {}
func leaseHeld(*os.File) bool   { return true }
