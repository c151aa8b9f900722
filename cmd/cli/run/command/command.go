package command

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/devtun/devtun/cmd/cli/run/view"
)

// Command is a program to run.
type Command struct {
	Args []string // the program, looked up as a shell does, and its arguments
	Env  []string // nil: this process's
	// Dir is where the program runs, as an absolute path, and where a relative path of it is
	// from. Empty: where this process does.
	Dir string
	// Apart has the program run in a session of its own, without a terminal: signals that
	// this process gets are not passed on, and its end is asked of its whole process group.
	Apart bool
	// Hosts is the file that the program is to see as the system's hosts file.
	// Empty: the system's own. Linux only.
	Hosts string
	// Files are seen in their places, where that can be, and their directory is in the
	// environment (view.FilesVariable). If this process is killed, they are removed. Without
	// mounts: none. Linux only.
	Files view.Files
	// Note, unless nil, is told which of the files are not in their places, before the
	// program runs or soon after.
	Note func(text string)
	// In, Out and Err are the program's streams. Files are handed to it as they
	// are, so that a terminal stays one. A nil one is the null device.
	In       io.Reader
	Out, Err io.Writer
	// Say, unless nil, is told what the user should know: that a program which goes on
	// after it was asked to end is waited for, and that it is killed.
	Say func(text string)
	// Grace is how long the program may take to end when ctx has ended. 0 means
	// 10 s.
	Grace time.Duration
	// RestGrace is how long what the program left may take to end after SIGTERM, until
	// it is killed. 0 means 2 s.
	RestGrace time.Duration
}

// Check reports what keeps the program from being started, as far as its file
// tells: nil or a *StartError.
func (c *Command) Check() error {
	if _, failure := c.lookUp(); failure != nil {
		return failure
	}
	return nil
}

// killGrace is how long what was killed may take to be gone, and what has ended to
// let go of its streams.
const killGrace = 2 * time.Second

// Run runs the program and returns its exit code, 128+n if signal n ended it.
// The signals that this process gets meanwhile are passed on, unless Apart; those that went to
// the program as well, from the terminal or to the process group, are not. When
// ctx ends, so does the program: by SIGTERM or, after Grace, by SIGKILL. ctx must
// not be one that ends by those signals: what they mean is the program's affair.
//
// One that goes on after SIGINT or SIGTERM has come three times in a row, each soon
// after the last, is killed.
//
// Then every process that the program has started and that still runs is ended
// likewise.
//
// Errors are *StartError, whose code is returned as well, *ForbiddenError and
// errors.ErrUnsupported, for Hosts, and *LeftError, with the program's code.
func (c *Command) Run(ctx context.Context) (code int, err error) {
	path, failure := c.lookUp()
	if failure != nil {
		return failure.Code(), failure
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return c.run(ctx, path)
}

func (c *Command) env() []string {
	environ := c.Env
	if environ == nil {
		environ = os.Environ()
	}
	if c.Dir != "" {
		environ = Set(environ, "PWD", c.Dir) // as exec.Cmd does
	}
	if c.Files.Dir != "" {
		environ = Set(environ, view.FilesVariable, c.Files.Dir)
	}
	return environ
}

// Set is an environment in which a variable has a value. The one given stays as it is.
func Set(environ []string, name, value string) []string {
	environ = slices.DeleteFunc(slices.Clone(environ), func(v string) bool { return strings.HasPrefix(v, name+"=") })
	return append(environ, name+"="+value)
}

func (c *Command) grace() time.Duration {
	if c.Grace == 0 {
		return 10 * time.Second
	}
	return c.Grace
}

func (c *Command) restGrace() time.Duration {
	if c.RestGrace == 0 {
		return 2 * time.Second
	}
	return c.RestGrace
}
