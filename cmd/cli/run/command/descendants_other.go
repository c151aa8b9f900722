//go:build unix && !linux

package command

import "syscall"

// Descendant is a descendant of a process.
type Descendant struct{}

// StopDescendants does nothing and returns none: descendants are not known here.
func StopDescendants(int) []*Descendant { return nil }

// Signal is for Linux only.
func (*Descendant) Signal(syscall.Signal) error { return nil }

// Kill is for Linux only.
func (*Descendant) Kill() error { return nil }
