//go:build unix

package credential

import (
	"errors"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/devtun/devtun/cmd/cli/run/command"
)

// ownSession has a program started in a session of its own, which has no terminal.
func ownSession(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// family is a program and what it has started.
type family struct {
	root        *os.Process
	alone       bool                  // they are a process group
	descendants []*command.Descendant // else
}

// familyOf is the family of a program that runs. One that is not alone stops until it
// is asked to end: what it starts in that moment would be missed.
func familyOf(cmd *exec.Cmd, alone bool) family {
	f := family{root: cmd.Process, alone: alone}
	if !alone {
		f.descendants = command.StopDescendants(cmd.Process.Pid)
	}
	return f
}

// terminate asks all to end.
func (f family) terminate() error {
	return errors.Join(f.signal(syscall.SIGTERM), f.signal(syscall.SIGCONT))
}

// kill ends those that have not. The program itself has.
func (f family) kill() {
	if f.alone {
		_ = syscall.Kill(-f.root.Pid, syscall.SIGKILL) // it may have ended
	}
	for _, k := range f.descendants {
		_ = k.Kill() // it may have ended
	}
}

func (f family) signal(s syscall.Signal) error {
	if f.alone {
		return gone(syscall.Kill(-f.root.Pid, s))
	}
	err := gone(f.root.Signal(s))
	for _, k := range f.descendants {
		err = errors.Join(err, gone(k.Signal(s)))
	}
	return err
}

// gone makes no error of a process that has ended.
func gone(err error) error {
	if errors.Is(err, syscall.ESRCH) || errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// interrupted reports that Ctrl-C has ended a program.
func interrupted(exit *exec.ExitError) bool {
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGINT
}

// foreground reports that this process may read its terminal.
func foreground(terminal *os.File) bool {
	group, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
