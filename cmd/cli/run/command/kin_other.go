//go:build unix && !linux

package command

import "syscall"

// Kin is a descendant of a process.
type Kin struct{}

// StopKin does nothing and returns none: descendants are not known here.
func StopKin(int) []*Kin { return nil }

// Signal is for Linux only.
func (*Kin) Signal(syscall.Signal) error { return nil }

// Kill is for Linux only.
func (*Kin) Kill() error { return nil }
