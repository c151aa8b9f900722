package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// readyTimeout bounds the wait for devtun's word that it is ready; endTimeout
// that for its end after a signal.
const (
	readyTimeout = 30 * time.Second
	endTimeout   = 10 * time.Second
)

// run runs a program to its end and returns all it printed.
func run(ctx context.Context, timeout time.Duration, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	return string(out), err
}

func devtunPath() string   { return bed.Program("devtun") }
func goclientPath() string { return bed.Program("goclient") }

// event is one of devtun's JSON events, with the fields that tests look at.
type event struct {
	Type, State, Namespace, Service, Pod, Address, Reason, Message, To, Workload string
	Link, WhyNot                                                                 string
	Names                                                                        []string
	Ports                                                                        []struct{ Local, Port int }
	Port, Pods, ServiceCount, PortCount                                          int
	Over, Open                                                                   bool
	Sent, Received                                                               int64
}

// devtun is a running `devtun forward -o json`.
type devtun struct {
	t      *testing.T
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended; err is set then
	err    error

	mu     sync.Mutex
	events []event
	stderr strings.Builder
	news   chan struct{} // closed and renewed at each event
}

// startForward starts `devtun forward` and waits until it is ready. It is
// ended with the test, if not before.
func startForward(t *testing.T, args ...string) *devtun {
	t.Helper()
	d := launchForward(t, kubeconfig(), args...)
	d.await("ready", readyTimeout, func(e event) bool { return e.Type == "ready" })
	return d
}

// launchForward starts `devtun forward` with a kubeconfig of its own choice.
func launchForward(t *testing.T, kubeconfig string, args ...string) *devtun {
	t.Helper()
	return launch(t, exec.Command(devtunPath(), append([]string{"forward", "--kubeconfig", kubeconfig, "-o", "json"},
		args...)...))
}

// launch starts a command that becomes `devtun forward -o json`, or passes its
// output and signals on.
func launch(t *testing.T, cmd *exec.Cmd) *devtun {
	t.Helper()
	d := &devtun{t: t, cmd: cmd, exited: make(chan struct{}), news: make(chan struct{})}
	out, err := d.cmd.StdoutPipe()
	require.NoError(t, err)
	d.cmd.Stderr = (*lockedWriter)(d)
	require.NoError(t, d.cmd.Start())
	go d.follow(out)
	t.Cleanup(func() {
		select {
		case <-d.exited:
		default:
			d.stop()
		}
		if t.Failed() {
			d.mu.Lock()
			defer d.mu.Unlock()
			t.Logf("%v said:\n%s", d.cmd.Args, d.stderr.String())
		}
	})
	return d
}

// lockedWriter collects standard error.
type lockedWriter devtun

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stderr.Write(p)
}

// follow reads events until devtun ends.
func (d *devtun) follow(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			e = event{Type: "garbage", Message: lines.Text()}
		}
		d.mu.Lock()
		d.events = append(d.events, e)
		close(d.news)
		d.news = make(chan struct{})
		d.mu.Unlock()
	}
	d.err = d.cmd.Wait()
	close(d.exited)
}

// await returns the first event that fits, of those there were or are to come.
func (d *devtun) await(what string, timeout time.Duration, fits func(event) bool) event {
	d.t.Helper()
	e, err := d.hears(0, timeout, fits)
	require.NoError(d.t, err, what)
	return e
}

// hears returns the first event after a mark that fits, or says why there is none. Any
// goroutine may call it.
func (d *devtun) hears(mark int, timeout time.Duration, fits func(event) bool) (event, error) {
	late := time.After(timeout)
	for {
		d.mu.Lock()
		events, news := d.events, d.news
		d.mu.Unlock()
		for ; mark < len(events); mark++ {
			if fits(events[mark]) {
				return events[mark], nil
			}
		}
		select {
		case <-news:
		case <-d.exited:
			return event{}, fmt.Errorf("devtun ended: %v", d.err)
		case <-late:
			return event{}, fmt.Errorf("nothing within %v in %d events, the last: %+v", timeout, len(events),
				events[max(0, len(events)-3):])
		}
	}
}

// mark is the number of events so far, for since.
func (d *devtun) mark() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.events)
}

// since returns the events after a mark.
func (d *devtun) since(mark int) []event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]event(nil), d.events[mark:]...)
}

// addr is the address of a service, and of one of its ports with it.
func (d *devtun) addr(service string, port int) string {
	d.t.Helper()
	e := d.await("service "+service, readyTimeout, func(e event) bool {
		return e.Type == "service" && e.Service == service && e.Pod == "" && e.Address != ""
	})
	return fmt.Sprintf("%s:%d", e.Address, port)
}

// state waits until a service was last told to be in a state.
func (d *devtun) state(service, state string, timeout time.Duration) {
	d.t.Helper()
	require.Eventually(d.t, func() bool {
		last := ""
		for _, e := range d.since(0) {
			if e.Type == "service" && e.Service == service && e.Pod == "" {
				last = e.State
			}
		}
		return last == state
	}, timeout, 10*time.Millisecond, "%s is not %s", service, state)
}

// stop ends devtun as Ctrl-C does, and wants it to say so with exit code 0.
func (d *devtun) stop() {
	d.t.Helper()
	require.NoError(d.t, d.cmd.Process.Signal(os.Interrupt))
	select {
	case <-d.exited:
	case <-time.After(endTimeout):
		d.cmd.Process.Signal(syscall.SIGQUIT) // for the stacks of its goroutines
		<-d.exited
		require.FailNow(d.t, "devtun did not end", "%s", d.stderr.String())
	}
	require.NoError(d.t, d.err, "exit code")
}

// hostsFile is the machine's, byte for byte.
func hostsFile(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("/etc/hosts")
	require.NoError(t, err)
	return string(content)
}
