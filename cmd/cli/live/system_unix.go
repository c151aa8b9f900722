//go:build unix

package live

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// foreground reports that the terminal is this process's now. A job in the
// background would be stopped for changing it.
func foreground(terminal *os.File) bool {
	group, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// apart starts a program that outlives this process and its terminal, and returns at once.
func apart(args []string) *exec.Cmd {
	cmd := exec.Command("sh", append([]string{"-c", `"$@" </dev/null >/dev/null 2>&1 &`, "sh"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}
