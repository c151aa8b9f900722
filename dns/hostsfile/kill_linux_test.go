package hostsfile

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// killRole sets and removes names until it is killed.
func killRole(args []string) error {
	path, state, way := args[0], args[1], args[2]
	h, err := New(path)
	if err != nil {
		return err
	}
	h.state = state
	h.disk.Step = func(op, _ string) error {
		if op == "exchange" {
			return wayError(way)
		}
		return nil
	}
	fmt.Println("ready")
	for i := 0; ; i++ {
		if _, err := h.Set(context.Background(), someEntries(rand.IntN(100))); err != nil {
			return err
		}
		if i%3 == 2 {
			if _, err := h.Remove(context.Background()); err != nil {
				return err
			}
		}
	}
}

// TestKills kills some sessions, two at a time, while foreign programs write to
// the file, one in place and one by renaming. The soak kills hundreds.
func TestKills(t *testing.T) {
	for _, way := range []string{"exchange", "overwrite"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel() // it waits for its children most of the time
			requireSurvivesSignals(t, way, 10)
		})
	}
}

// requireSurvivesSignals kills at least that many sessions, at moments that are
// spread evenly over the first of their life, and until the foreign programs have
// written some lines.
func requireSurvivesSignals(t *testing.T, way string, kills int) {
	t.Helper()
	const life = 40 * time.Millisecond
	dir := t.TempDir()
	path := filepath.Join(dir, "hosts")
	require.NoError(t, os.WriteFile(path, []byte(crashForeign+"\n"), 0o644))
	writers := newWriters(path, way == "exchange")

	var next atomic.Int32
	var sessions errgroup.Group
	for range 2 {
		sessions.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= kills && !writers.busy() {
					return nil
				}
				after := life * time.Duration(i%kills) / time.Duration(kills)
				if err := killOne(path, filepath.Join(dir, "state"), way, after); err != nil {
					return err
				}
			}
		})
	}
	killed := sessions.Wait()

	h := newTestHosts(t, path)
	h.disk.Step = func(op, _ string) error {
		if op == "exchange" {
			return wayError(way)
		}
		return nil
	}
	// The last one killed, or a Clean, may have left a line where its writer
	// does not see it and waits for it: the next Clean brings it back.
	clean := func() {
		report, err := h.Clean(t.Context())
		require.NoError(t, err)
		require.Empty(t, report.Saved)
	}
	ended := writers.end()
	for over := false; !over; {
		clean()
		select {
		case <-ended:
			over = true
		case <-time.After(time.Millisecond):
		}
	}
	require.NoError(t, errors.Join(append(writers.errs, killed)...))
	clean()
	content := contentAt(t, path)
	require.NotContains(t, content, tagMark, "no stale block")
	require.True(t, strings.HasPrefix(content, crashForeign+"\n"))
	for _, line := range writers.lines {
		require.Equal(t, 1, strings.Count(content, line), "%q", line)
	}
	requireNothingBeside(t, path)
}

// killOne starts a session and kills it that long after it has begun.
func killOne(path, state, way string, after time.Duration) error {
	child := exec.Command("/proc/self/exe", path, state, way)
	child.Env = append(os.Environ(), roleVariable+"=kill")
	var complaint bytes.Buffer
	child.Stderr = &complaint
	output, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	_, err = output.Read(make([]byte, 1))
	time.Sleep(after)
	err = errors.Join(err, child.Process.Kill())
	var ended *exec.ExitError
	if wait := child.Wait(); !errors.As(wait, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		return errors.Join(err, fmt.Errorf("ended by itself: %w: %s", wait, complaint.String()))
	}
	return err
}

// writers are foreign programs that add lines to the file: one appends in place,
// the other renames a new version over it. They take turns, since they would
// lose each other's lines without any devtun, and each waits until its line is
// to be seen.
type writers struct {
	path   string
	turn   sync.Mutex
	enough chan struct{}
	group  sync.WaitGroup
	lines  []string
	errs   []error

	written atomic.Int32 // lines
	failed  atomic.Bool
}

func newWriters(path string, rename bool) *writers {
	w := &writers{path: path, enough: make(chan struct{})}
	w.group.Go(func() { w.run("appended", appendFile) })
	if rename {
		w.group.Go(func() { w.run("renamed", renameFile) })
	}
	return w
}

// run writes lines until the end.
func (w *writers) run(name string, write func(path, text string) error) {
	for i := 0; ; i++ {
		select {
		case <-w.enough:
			return
		case <-time.After(time.Duration(rand.IntN(10_000)) * time.Microsecond):
		}
		line := fmt.Sprintf("10.0.0.1 %s-%d.\n", name, i)
		if !w.add(line, write) {
			return
		}
	}
}

// add writes one line and waits until it is in the file.
func (w *writers) add(line string, write func(path, text string) error) bool {
	w.turn.Lock()
	defer w.turn.Unlock()
	err := write(w.path, line)
	for deadline := time.Now().Add(20 * time.Second); err == nil && time.Now().Before(deadline); {
		var content []byte
		if content, err = os.ReadFile(w.path); bytes.Contains(content, []byte(line)) {
			w.lines = append(w.lines, line)
			w.written.Add(1)
			return true
		}
		time.Sleep(time.Millisecond)
	}
	w.failed.Store(true)
	w.errs = append(w.errs, fmt.Errorf("write line %q: %w", line, cmp.Or(err, os.ErrDeadlineExceeded)))
	return false
}

// busy is false when they have written some lines, or one has failed.
func (w *writers) busy() bool { return !w.failed.Load() && w.written.Load() < 10 }

// end has them end, and closes ended when they have: lines and errs are complete.
func (w *writers) end() (ended <-chan struct{}) {
	close(w.enough)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.group.Wait()
	}()
	return done
}
