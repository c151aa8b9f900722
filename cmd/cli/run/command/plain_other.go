//go:build !linux

package command

import (
	"errors"
	"fmt"
	"os/exec"
)

// plain is the program as a child of this process.
func (c *Command) plain(path string) (*exec.Cmd, error) {
	if c.Hosts != "" || len(c.Files.Mounts) > 0 {
		return nil, fmt.Errorf("give the program a view of its own: %w", errors.ErrUnsupported)
	}
	return &exec.Cmd{
		Path: path, Args: c.Args, Env: c.env(),
		Stdin: c.In, Stdout: c.Out, Stderr: c.Err, Dir: c.Dir,
		WaitDelay: killGrace, // what the program leaves may hold a pipe open
	}, nil
}

// ended waits for a program that was started and passes its end on; that its
// state is not success is no error here.
func ended(program *exec.Cmd) <-chan error {
	end := make(chan error, 1)
	go func() {
		err := program.Wait()
		var exit *exec.ExitError
		if errors.As(err, &exit) || errors.Is(err, exec.ErrWaitDelay) {
			err = nil
		}
		end <- err
	}()
	return end
}
