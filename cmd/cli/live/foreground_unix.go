//go:build unix

package live

import (
	"os"

	"golang.org/x/sys/unix"
)

// foreground reports that the terminal is this process's now. A job in the
// background would be stopped for changing it.
func foreground(terminal *os.File) bool {
	group, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
