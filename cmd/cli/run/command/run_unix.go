//go:build unix && !linux

package command

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// run has the program in a process group of its own, whose processes end with
// it. In the foreground of a terminal it has to stay in this process's, which
// may be other programs' too; there its children are left to themselves, and
// what the terminal sends is not passed on, since the program has it already.
func (c *Command) run(ctx context.Context, path string) (int, error) {
	program, err := c.plain(path)
	if err != nil {
		return 0, err
	}
	var signals chan os.Signal
	if !c.Apart {
		signals = make(chan os.Signal, 16)
		signal.Notify(signals, passedOn()...)
		defer signal.Stop(signals)
	}
	shared := !c.Apart && inForeground()
	program.SysProcAttr = &syscall.SysProcAttr{Setpgid: !shared && !c.Apart, Setsid: c.Apart}
	if err := program.Start(); err != nil {
		failure := &StartError{Name: c.Args[0], Err: err}
		return failure.Code(), failure
	}
	end, done := ended(program), ctx.Done()
	var asked insistence
	var grace <-chan time.Time
	for {
		select {
		case s := <-signals:
			if !shared || !inForeground() || !slices.Contains(terminals, s) {
				program.Process.Signal(s)
			}
			if c.insist(&asked, s) {
				program.Process.Kill()
			}
		case <-done:
			done = nil
			if c.Apart {
				_ = syscall.Kill(-program.Process.Pid, syscall.SIGTERM) // it may have ended
			} else {
				program.Process.Signal(syscall.SIGTERM)
			}
			grace = time.After(c.grace())
		case <-grace:
			program.Process.Kill()
		case err := <-end:
			if err != nil {
				return 0, fmt.Errorf("wait for program: %w", err)
			}
			if !shared {
				endGroup(program.Process.Pid, c.restGrace())
			}
			return exitCode(program.ProcessState.Sys().(syscall.WaitStatus)), nil
		}
	}
}

// terminals are the signals that a terminal sends.
var terminals = []os.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGWINCH}

// inForeground reports whether the terminal sends its signals to this process.
func inForeground() bool {
	terminal, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer terminal.Close()
	group, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// endGroup ends what is left of a process group, after a grace.
func endGroup(group int, rest time.Duration) {
	grace := time.After(rest)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for err := syscall.Kill(-group, syscall.SIGTERM); err == nil; err = syscall.Kill(-group, 0) {
		select {
		case <-again.C:
		case <-grace:
			syscall.Kill(-group, syscall.SIGKILL)
			return
		}
	}
}
