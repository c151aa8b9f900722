package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/run/command"
	"github.com/devtun/devtun/dns/helper"
)

// A session in the background is held by a child of the `devtun up` that has asked for
// it: the same program with the same arguments, and this variable. Until everything is
// ready the child shares the terminal, so that sudo may ask for a password there; then
// it leaves the terminal's session.
const childVariable = "DEVTUN_SESSION_CHILD"

const (
	// helloFile is the child's descriptor of the pipe on which it says that it holds
	// the session's place.
	helloFile = 3

	// helloTimeout bounds the wait for that.
	helloTimeout = 20 * time.Second

	// backTimeout bounds the wait for a session that has failed to put all back.
	backTimeout = intercept.RestoreTimeout + intercept.DrainTimeout + goneTimeout
)

// hello is the child's first word, a JSON object: it has the place, or why not.
type hello struct {
	Busy bool // a session of that name runs
	background.Outcome
}

// startChild has a child hold the session, and returns when everything is ready. If
// it does not get so far, it returns when everything has been put back.
func (u *upping) startChild(ctx context.Context) error {
	child, err := u.spawn(ctx)
	if err != nil {
		return err
	}
	waiting, cancel := u.waiting(ctx)
	defer cancel()
	if err = u.apply(waiting, u.directory.Client(u.name)); err == nil {
		u.ready(child.cmd.Process.Pid)
		return nil
	}
	if ctx.Err() != nil {
		err = &problem.Problem{Err: errors.New("interrupted before everything was ready"), Code: problem.ExitFailure, Hint: "everything was put back; run it again"}
	}
	select { // it has noticed, too
	case <-child.ended:
		return err
	case <-time.After(backTimeout):
		return errors.Join(err, fmt.Errorf("session %s (pid %d) does not end", u.name, child.cmd.Process.Pid))
	}
}

// spawned is a child that holds its place.
type spawned struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when its process has
}

// spawn starts the child and waits until it holds the place.
func (u *upping) spawn(ctx context.Context) (*spawned, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(append(os.Environ(), childVariable+"="+u.name), u.streams.HelperEnv...)
	cmd.Stderr = os.Stderr // for the user's credential plugins, until it leaves the terminal
	cmd.ExtraFiles = []*os.File{write}
	err = cmd.Start()
	write.Close()
	if err != nil {
		return nil, fmt.Errorf("start the session: %w", err)
	}
	child := &spawned{cmd: cmd, ended: make(chan struct{})}
	go func() { // ends with the child, or with this process
		cmd.Wait()
		close(child.ended)
	}()
	read.SetReadDeadline(time.Now().Add(helloTimeout))
	var said hello
	if err := json.NewDecoder(read).Decode(&said); err != nil {
		cmd.Process.Kill()
		return nil, fmt.Errorf("start the session: it ended without a word: %w", err)
	}
	if said.Busy {
		return nil, &background.BusyError{Name: u.name}
	}
	return child, problem.FromOutcome(said.Outcome)
}

// upChild is this process as such a child.
type upChild struct{ name string }

// inheritedChild is what this process is to hold, nil if it is nobody's child.
func inheritedChild() *upChild {
	name := os.Getenv(childVariable)
	os.Unsetenv(childVariable) // it is nobody else's
	if name == "" || !canDetach {
		return nil
	}
	return &upChild{name}
}

// run holds the session. What goes wrong is said to who gives orders, and in the log.
func (c *upChild) run(ctx context.Context, start helper.Start) error {
	pipe := os.NewFile(helloFile, "hello")
	place, err := c.claim()
	said := hello{Busy: errors.As(err, new(*background.BusyError)), Outcome: problem.Outcome(err)}
	if herr := json.NewEncoder(pipe).Encode(said); herr != nil && err == nil {
		err = errors.Join(herr, place.Remove()) // nobody waits for it any more
	}
	pipe.Close()
	if err != nil {
		return &command.ExitError{Code: int(problem.ExitFailure)}
	}
	s := newProjectSession(ctx, c.name, &sayings{log: place.Log}, start)
	s.settled = func() error { return leaveTerminal(place.Log.Name()) }
	if s.run(place) != nil {
		return &command.ExitError{Code: int(problem.ExitFailure)}
	}
	return nil
}

func (c *upChild) claim() (*background.Place, error) {
	directory, err := background.Default()
	if err != nil {
		return nil, err
	}
	return directory.Claim(c.name)
}
