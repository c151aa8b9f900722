//go:build unix && !linux

package command

import "syscall"

// Kin is a descendant of a process.
type Kin struct{}

// KinOf is none: descendants are not known here.
func KinOf(int) []*Kin { return nil }

// Signal is for Linux only.
func (*Kin) Signal(syscall.Signal) error { return nil }
