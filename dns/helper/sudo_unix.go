//go:build unix

package helper

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	"github.com/devtun/devtun/internal/pause"
)

// prompt is what sudo asks with; %u is the user.
const prompt = "devtun needs root to write host names and to listen on ports below 1024. [sudo] password for %u: "

// stopSignal is what Ctrl-Z sends.
const stopSignal = unix.SIGTSTP

// interruptLag is how much later than sudo this process may know of a Ctrl-C.
const interruptLag = 300 * time.Millisecond

// Command is the word that makes devtun the helper.
const Command = "helper"

// SudoError says why sudo did not start the helper.
type SudoError struct {
	Err error
	// NoTerminal is set when sudo may have wanted a password and there was nobody
	// to ask.
	NoTerminal bool
}

func (e *SudoError) Error() string { return fmt.Sprintf("start the helper with sudo: %v", e.Err) }
func (e *SudoError) Unwrap() error { return e.Err }

// Sudo starts the helper through sudo and becomes its peer. Sudo may ask for a
// password on the terminal if ask is set and this process has one to ask on, or
// through the user's SUDO_ASKPASS. Otherwise it never does: it fails at once.
// Errors are *SudoError.
func Sudo(ctx context.Context, ask bool) (*Client, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, &SudoError{Err: err}
	}
	sudo, err := exec.LookPath("sudo")
	if err != nil {
		return nil, &SudoError{Err: err}
	}
	how, timeout := "--non-interactive", startTimeout
	terminal := ownTerminal()
	if terminal != nil {
		defer terminal.Close()
	}
	onTerminal := ask && terminal != nil
	switch {
	case onTerminal:
		how, timeout = "--prompt="+prompt, 0 // sudo gives up by itself
	case ask && os.Getenv("SUDO_ASKPASS") != "":
		how, timeout = "--askpass", 0
	}
	command := exec.Command(sudo, how, "--", self, Command)
	if onTerminal {
		command.Stderr = terminal // what sudo says of a wrong password; it outlives who reads standard error
	}
	started, err := launch(ctx, timeout, command)
	if err != nil && onTerminal {
		_ = pause.Sleep(ctx, interruptLag) // a Ctrl-C that has ended sudo is on its way to this process too
	}
	if err != nil {
		return nil, &SudoError{Err: err, NoTerminal: timeout != 0}
	}
	client, err := started.Connect(ctx)
	if err != nil {
		return nil, &SudoError{Err: err}
	}
	return client, nil
}

// ownTerminal is this process's terminal if it may ask something there, else nil. A
// job in the background has one too, but would be stopped for asking.
func ownTerminal() *os.File {
	terminal, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	group, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	if err != nil || group != unix.Getpgrp() {
		terminal.Close()
		return nil
	}
	return terminal
}

// Spawn starts the helper as a child of this process, which has root's rights and
// is about to give them up; Connect comes after that.
func Spawn(ctx context.Context) (*Started, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start the helper: %w", err)
	}
	command := exec.Command(self, Command)
	// It outlives this process: standard error may be a pipe that somebody reads to its
	// end, and so only a terminal is good enough to be kept.
	if terminal := ownTerminal(); terminal != nil {
		defer terminal.Close()
		command.Stderr = terminal
	}
	started, err := launch(ctx, startTimeout, command)
	if err != nil {
		return nil, fmt.Errorf("start the helper: %w", err)
	}
	return started, nil
}
