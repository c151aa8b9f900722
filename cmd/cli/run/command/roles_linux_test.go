package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/run/view"
)

var roles map[string]role

func init() {
	roles = map[string]role{
		"run":     runRole,
		"brief":   briefRole,
		"count":   countRole,
		"insist":  insistRole,
		"limit":   limitRole,
		"filter":  filterRole,
		"machine": machineRole,
		"raise":   raiseRole,
	}
}

const self = "/proc/self/exe"

// selfPath is the test binary for others to execute.
func selfPath(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	return path
}

// runRole runs the program of args with the file args[0] as its hosts file, or with the
// files of DIR, of which MOUNT is shown, if that is DIR::MOUNT.
func runRole(args []string) int { return runWith(args, 0) }

// briefRole is a runRole that soon kills what the program has left.
func briefRole(args []string) int { return runWith(args, 50*time.Millisecond) }

func runWith(args []string, rest time.Duration) int {
	c := Command{Args: args[1:], Hosts: args[0], In: os.Stdin, Out: os.Stdout, Err: os.Stderr, RestGrace: rest}
	if dir, mount, ok := strings.Cut(args[0], "::"); ok {
		c.Note = func(text string) { fmt.Println(text) }
		c.Hosts, c.Files = "", view.Files{Dir: dir, Mounts: []string{mount}}
	}
	code, err := c.Run(context.Background())
	var forbidden *ForbiddenError
	if errors.As(err, &forbidden) {
		fmt.Println("forbidden by " + forbidden.By)
	}
	if err != nil {
		fmt.Println(err)
		return 99
	}
	return code
}

// insistRole is a runRole that says what the user should know.
func insistRole(args []string) int {
	c := Command{Args: args[1:], Hosts: args[0], Out: os.Stdout, Err: os.Stderr,
		Say: func(text string) { fmt.Println(text) }}
	code, err := c.Run(context.Background())
	if err != nil {
		fmt.Println(err)
	}
	return code
}

// countRole is a program that says which signals it gets, and ends by SIGTERM
// with 7.
func countRole([]string) int {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, passedOn()...)
	fmt.Println("ready")
	for s := range signals {
		fmt.Println(s)
		if s == syscall.SIGTERM {
			break
		}
	}
	return 7
}

// runner is a runRole, seen from outside.
type runner struct {
	*exec.Cmd
	t   *testing.T
	out *bufio.Scanner
}

// newRunner prepares a runRole. A test that must not wait for ever gets an end of
// its output after a minute.
func newRunner(t *testing.T, hosts string, args ...string) *runner {
	t.Helper()
	out, in, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, out.SetReadDeadline(time.Now().Add(time.Minute)))
	r := &runner{exec.Command(self, append([]string{"role:run", hosts}, args...)...), t, bufio.NewScanner(out)}
	r.Stdout, r.Stderr = in, os.Stderr
	t.Cleanup(func() {
		if r.Process != nil {
			r.Process.Kill()
			r.Wait()
		}
		out.Close()
		in.Close()
	})
	return r
}

func (r *runner) start() *runner {
	r.t.Helper()
	require.NoError(r.t, r.Start())
	r.Stdout.(*os.File).Close()
	return r
}

// line is the next line of output.
func (r *runner) line() string {
	r.t.Helper()
	require.True(r.t, r.out.Scan(), "output ended: %v", r.out.Err())
	return strings.TrimSuffix(r.out.Text(), "\r")
}

func (r *runner) expect(want string) {
	r.t.Helper()
	require.Equal(r.t, want, r.line())
}

// code waits for the end.
func (r *runner) code() int {
	r.t.Helper()
	for r.out.Scan() {
		r.t.Errorf("more output: %s", r.out.Text())
	}
	require.NoError(r.t, r.out.Err())
	var exit *exec.ExitError
	if err := r.Wait(); err != nil {
		require.ErrorAs(r.t, err, &exit)
	}
	return r.ProcessState.ExitCode()
}

// asNobody makes the runner an unprivileged user's, when the tests run as root.
func (r *runner) asNobody() *runner {
	if os.Geteuid() == 0 {
		r.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	return r
}

// brief makes the runner a briefRole.
func (r *runner) brief() *runner {
	r.Args[1] = "role:brief"
	return r
}

// gone waits until there is no such process.
func gone(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool { return !exists(pid) }, 15*time.Second, 5*time.Millisecond, "process %d", pid)
}

// exists reports whether a process runs; a zombie whose parent does not look
// does not.
func exists(pid int) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	return !strings.HasPrefix(rest, "Z")
}
