package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// terminal is a command whose input and output are a terminal, as those of an
// editor's tasks are.
type terminal struct {
	t     *testing.T
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended; err is set then
	err   error

	mu    sync.Mutex
	lines []string      // that it has printed, without colours
	news  chan struct{} // closed and renewed at each line
}

// inTerminal starts a command so. It is ended with the test, if not before.
func inTerminal(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	master, slave, err := openTerminal()
	require.NoError(t, err)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	require.NoError(t, cmd.Start())
	slave.Close()
	r := &terminal{t: t, cmd: cmd, ended: make(chan struct{}), news: make(chan struct{})}
	go func() {
		for text := bufio.NewScanner(master); text.Scan(); {
			r.add(escape.ReplaceAllString(strings.TrimSuffix(text.Text(), "\r"), ""))
		}
		master.Close()
		r.err = cmd.Wait()
		close(r.ended)
	}()
	t.Cleanup(func() {
		select {
		case <-r.ended:
		default:
			r.stop()
		}
		if t.Failed() {
			t.Logf("%v said:\n%s", cmd.Args, r.said())
		}
	})
	return r
}

func (r *terminal) add(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
	close(r.news)
	r.news = make(chan struct{})
}

// said is all that it has printed.
func (r *terminal) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

// each calls look with each line, those that are to come included, until it returns
// true. It returns false if the command has ended before.
func (r *terminal) each(timeout time.Duration, look func(line string) bool) bool {
	r.t.Helper()
	late := time.After(timeout)
	for seen, over := 0, false; ; {
		r.mu.Lock()
		lines, news := r.lines, r.news
		r.mu.Unlock()
		for ; seen < len(lines); seen++ {
			if look(lines[seen]) {
				return true
			}
		}
		if over {
			return false
		}
		select {
		case <-news:
		case <-r.ended:
			over = true // and look once more
		case <-late:
			require.FailNow(r.t, "too late", "%v said:\n%s", r.cmd.Args, r.said())
		}
	}
}

// await returns the lines up to the first that begins so.
func (r *terminal) await(beginning string, timeout time.Duration) (all []string) {
	r.t.Helper()
	came := r.each(timeout, func(line string) bool {
		all = append(all, line)
		return strings.HasPrefix(line, beginning)
	})
	require.True(r.t, came, "%v ended without %q:\n%s", r.cmd.Args, beginning, r.said())
	return all
}

// stop ends the command as Ctrl-C does.
func (r *terminal) stop() {
	r.t.Helper()
	require.NoError(r.t, r.cmd.Process.Signal(os.Interrupt))
	r.awaitEnd()
}

// awaitEnd waits until the command has ended with success.
func (r *terminal) awaitEnd() {
	r.t.Helper()
	late := time.AfterFunc(time.Minute, func() { r.cmd.Process.Kill() })
	defer late.Stop()
	<-r.ended
	require.NoError(r.t, r.err, r.said())
}
