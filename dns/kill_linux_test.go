package dns

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
)

// killRole sets and removes names until it is killed.
func killRole(args []string) error {
	path, state, way := args[0], args[1], args[2]
	h, err := NewHosts(path)
	if err != nil {
		return err
	}
	h.state = state
	h.disk.step = func(op, _ string) error {
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

// TestKills kills a hundred sessions, two at a time, while foreign programs
// write to the file, one in place and one by renaming.
func TestKills(t *testing.T) {
	for _, c := range []struct {
		way   string
		kills int
	}{{"exchange", 100}, {"overwrite", 50}} {
		t.Run(c.way, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "hosts")
			require.NoError(t, os.WriteFile(path, []byte(crashForeign+"\n"), 0o644))
			writers := newWriters(path, c.way == "exchange")

			var left atomic.Int32
			left.Store(int32(c.kills))
			var sessions sync.WaitGroup
			errs := make(chan error, c.kills)
			for range 2 {
				sessions.Go(func() {
					for left.Add(-1) >= 0 {
						errs <- killOne(path, filepath.Join(dir, "state"), c.way)
					}
				})
			}
			sessions.Wait()
			for range c.kills {
				require.NoError(t, <-errs)
			}

			h := newTestHosts(t, path)
			h.disk.step = func(op, _ string) error {
				if op == "exchange" {
					return wayError(c.way)
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
			require.NoError(t, errors.Join(writers.errs...))
			clean()
			lines := writers.lines
			content := contentAt(t, path)
			require.NotContains(t, content, tagMark, "no stale block")
			require.True(t, strings.HasPrefix(content, crashForeign+"\n"))
			require.Greater(t, len(lines), 10)
			for _, line := range lines {
				require.Equal(t, 1, strings.Count(content, line), "%q", line)
			}
			requireNothingBeside(t, path)
		})
	}
}

// killOne starts a session and kills it a moment after it has begun.
func killOne(path, state, way string) error {
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
	sleep(context.Background(), time.Duration(rand.IntN(40_000))*time.Microsecond)
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
			return true
		}
		sleep(context.Background(), time.Millisecond)
	}
	w.errs = append(w.errs, fmt.Errorf("write line %q: %w", line, cmp.Or(err, os.ErrDeadlineExceeded)))
	return false
}

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
