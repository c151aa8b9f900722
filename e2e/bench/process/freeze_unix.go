//go:build unix

package process

import "syscall"

// Freeze stops the process as a debugger does: its connections stand, and it neither
// reads nor writes. Thaw it before Close.
func (c *Child) Freeze() error { return c.cmd.Process.Signal(syscall.SIGSTOP) }

// Thaw lets it go on.
func (c *Child) Thaw() error { return c.cmd.Process.Signal(syscall.SIGCONT) }
