package up

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/output"
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
	// claimedFile is the child's descriptor of the pipe on which it says that it holds
	// the session's place.
	claimedFile = 3

	// claimedTimeout bounds the wait for that.
	claimedTimeout = 20 * time.Second
)

// claimed is what the child says first, as a JSON object: it has the place, or why not.
type claimed struct {
	Busy bool // a session of that name runs
	background.Outcome
}

// startChild has a child hold the session, and returns when everything is ready. If
// it does not get so far, it returns when everything has been put back.
func (l *launcher) startChild(ctx context.Context) error {
	child, err := l.spawn()
	if err != nil {
		return err
	}
	waiting, cancel := l.waiting(ctx)
	defer cancel()
	if err = l.apply(waiting, l.directory.Client(l.name)); err == nil {
		l.ready(child.cmd.Process.Pid)
		return nil
	}
	if ctx.Err() != nil {
		err = &problem.Problem{Err: errors.New("interrupted before everything was ready"), Code: problem.ExitFailure,
			Hint: "everything was put back; run it again"}
	}
	select { // it has noticed, too
	case <-child.ended:
		return err
	case <-time.After(background.EndTimeout):
		return errors.Join(err, fmt.Errorf("session %s (pid %d) does not end", l.name, child.cmd.Process.Pid))
	}
}

// childProcess is a child that holds its place.
type childProcess struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when its process has
}

// spawn starts the child and waits until it holds the place.
func (l *launcher) spawn() (*childProcess, error) {
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
	cmd.Env = append(append(os.Environ(), childVariable+"="+l.name), l.streams.HelperEnv...)
	cmd.Stderr = os.Stderr // for the user's credential plugins, until it leaves the terminal
	cmd.ExtraFiles = []*os.File{write}
	err = cmd.Start()
	write.Close()
	if err != nil {
		return nil, fmt.Errorf("start the session: %w", err)
	}
	child := &childProcess{cmd: cmd, ended: make(chan struct{})}
	go func() { // ends with the child, or with this process
		_ = cmd.Wait() // how it has ended it says itself
		close(child.ended)
	}()
	read.SetReadDeadline(time.Now().Add(claimedTimeout))
	var said claimed
	if err := json.NewDecoder(read).Decode(&said); err != nil {
		cmd.Process.Kill()
		return nil, fmt.Errorf("start the session: it ended without a word: %w", err)
	}
	if said.Busy {
		return nil, &background.BusyError{Name: l.name}
	}
	return child, problem.FromOutcome(said.Outcome)
}

// child is this process as such a child.
type child struct{ name string }

// inheritedChild is what this process is to hold, nil if it is nobody's child.
func inheritedChild() *child {
	name := os.Getenv(childVariable)
	_ = os.Unsetenv(childVariable) // it is nobody else's
	if name == "" || !canDetach {
		return nil
	}
	return &child{name}
}

// run holds the session. What goes wrong is said to who gives orders, and in the log.
func (c *child) run(ctx context.Context, start helper.Start) error {
	pipe := os.NewFile(claimedFile, "claimed")
	place, err := c.claim()
	said := claimed{Busy: errors.As(err, new(*background.BusyError)), Outcome: problem.Outcome(err)}
	if herr := json.NewEncoder(pipe).Encode(said); herr != nil && err == nil {
		err = errors.Join(herr, place.Remove()) // nobody waits for it any more
	}
	pipe.Close()
	if err != nil {
		return &command.ExitError{Code: int(problem.ExitFailure)}
	}
	leave := func() error { return leaveTerminal(place.Log.Name()) }
	if newSession(c.name, newSessionLog(place.Log, output.Streams{}), start, leave).run(ctx, place) != nil {
		return &command.ExitError{Code: int(problem.ExitFailure)}
	}
	return nil
}

func (c *child) claim() (*background.Place, error) {
	directory, err := background.Default()
	if err != nil {
		return nil, err
	}
	return directory.Claim(c.name)
}
