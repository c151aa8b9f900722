//go:build !linux

package dns

import "syscall"

// onThisMachine does nothing here.
func onThisMachine(_, _ string, _ syscall.RawConn) error { return nil }
