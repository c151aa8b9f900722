//go:build unix

package live

import (
	"os/exec"
	"syscall"
)

// apart starts a program that outlives this process and its terminal, and returns at once.
func apart(args []string) *exec.Cmd {
	cmd := exec.Command("sh", append([]string{"-c", `"$@" </dev/null >/dev/null 2>&1 &`, "sh"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}
