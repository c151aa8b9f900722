package helper

import (
	"context"
	"errors"
	"syscall"
)

const stopSignal = syscall.SIGTERM // there is no Ctrl-Z

// Command is the word that makes devtun the helper.
const Command = "helper"

// SudoError says why the helper could not be started: Windows has none.
type SudoError struct {
	Err        error
	NoTerminal bool
}

func (e *SudoError) Error() string { return e.Err.Error() }
func (e *SudoError) Unwrap() error { return e.Err }

// Sudo fails: there is no helper.
func Sudo(context.Context, bool) (*Client, error) {
	return nil, &SudoError{Err: errors.New("there is no helper on Windows")}
}

// Spawn fails: there is no helper.
func Spawn(context.Context) (*Started, error) { return nil, errors.ErrUnsupported }

// User is the user behind sudo, which Windows has not.
type User struct{}

// Invoker returns nil: nobody else stands behind a process.
func Invoker() (*User, error) { return nil, nil }

// Become is never called.
func (*User) Become(*Started) error { return errors.ErrUnsupported }
