package hostsfile

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestForeignWritesAtEveryOperation lets another program write to the file just
// before each operation of an update in turn, in every way programs do.
func TestForeignWritesAtEveryOperation(t *testing.T) {
	const line = "10.0.0.9 db\n"
	for _, way := range []string{"exchange", "overwrite"} {
		for about, write := range map[string]func(path, text string) error{
			"append":  appendFile,
			"rename":  renameFile,
			"rewrite": rewriteFile,
		} {
			if way == "overwrite" && about == "rename" {
				continue // the kernel refuses it where devtun overwrites
			}
			t.Run(way+"/"+about, func(t *testing.T) {
				for k := 1; ; k++ {
					h, _ := crashFile(t)
					acted := make(chan error, 1)
					count := interrupt(h, way, k, acted, func() error { return write(h.path, "\n"+line) })
					_, err := h.Set(t.Context(), someEntries(9))
					require.NoError(t, err)
					if *count < k {
						break
					}
					require.NoError(t, <-acted)
					require.Equal(t, crashForeign+"\n"+line, foreignAt(t, h.path), "operation %d", k)
					// What was written during the last operations is found next time.
					_, err = h.Set(t.Context(), someEntries(9))
					require.NoError(t, err)
					require.Equal(t, crashForeign+"\n"+line, foreignAt(t, h.path), "operation %d", k)
					require.Contains(t, contentAt(t, h.path), "api-8.shop")
					requireNothingBeside(t, h.path)
				}
			})
		}
	}
}

// TestSlowForeignWriter opens the file before each operation and writes only
// before a later one, or after the update.
func TestSlowForeignWriter(t *testing.T) {
	const line = "\n10.0.0.9 db\n"
	operations := 1
	for k := 1; k <= operations; k++ {
		for j := k + 1; j <= operations+1; j++ {
			h, _ := crashFile(t)
			h.writerTimeout = 10 * time.Millisecond
			var writer *slowWriter
			count := 0
			h.disk.Step = func(string, string) error {
				switch count++; count {
				case k:
					writer = openSlowly(h.path, line)
				case j:
					writer.write()
				}
				return nil
			}
			_, err := h.Set(t.Context(), someEntries(9))
			require.NoError(t, err)
			if k == 1 && j == 2 {
				operations = count
			}
			h.disk.Step = nil
			writer.write()
			require.NoError(t, <-writer.done)
			_, err = h.Set(t.Context(), someEntries(9))
			require.NoError(t, err)
			require.Equal(t, crashForeign+line, foreignAt(t, h.path), "opened at %d, written at %d", k, j)
			requireNothingBeside(t, h.path)
		}
	}
}

// slowWriter has the file open for a while before it appends to it.
type slowWriter struct {
	opened, now chan struct{}
	once        sync.Once
	done        chan error
}

// openSlowly returns when the file is open, or while the system makes the writer
// wait in open.
func openSlowly(path, text string) *slowWriter {
	w := &slowWriter{opened: make(chan struct{}), now: make(chan struct{}), done: make(chan error, 1)}
	go func() {
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		close(w.opened)
		<-w.now
		if err == nil {
			_, err = file.WriteString(text)
			err = errors.Join(err, file.Close())
		}
		w.done <- err
	}()
	select {
	case <-w.opened:
	case <-time.After(5 * time.Millisecond):
	}
	return w
}

// write lets the writer write; it returns when that is done, or soon.
func (w *slowWriter) write() {
	w.once.Do(func() { close(w.now) })
	select {
	case err := <-w.done:
		w.done <- err
	case <-time.After(5 * time.Millisecond):
	}
}

// interrupt lets act go just before operation k. An act that has to wait, in
// open, for the update to let go of the file runs beside it.
func interrupt(h *File, way string, k int, acted chan<- error, act func() error) *int {
	count := killAt(h, wayError(way), 0)
	step := h.disk.Step
	h.disk.Step = func(op, path string) error {
		err := step(op, path)
		if *count != k {
			return err
		}
		done := make(chan error, 1)
		go func() { done <- act() }()
		select {
		case err := <-done:
			acted <- err
		case <-time.After(5 * time.Millisecond):
			go func() { acted <- <-done }()
		}
		return err
	}
	return count
}

func wayError(name string) error {
	for _, way := range ways {
		if way.name == name {
			return way.exchange
		}
	}
	return nil
}

// TestBothRewritten is the one case that needs a human: the old version, on its
// way out, and the new one are both written anew, differently.
func TestBothRewritten(t *testing.T) {
	h, _ := crashFile(t)
	const theirs, latest = "10.0.0.1 theirs\n", "10.0.0.2 latest\n"
	writes := map[string]string{"exchange": theirs, "stat": latest}
	h.disk.Step = func(op, _ string) error {
		content, ok := writes[op]
		if !ok {
			return nil
		}
		delete(writes, op)
		// By rename: nobody can open the old version just now.
		draft := h.path + ".draft"
		if err := os.WriteFile(draft, []byte(content), 0o644); err != nil {
			return err
		}
		return os.Rename(draft, h.path)
	}
	report, err := h.Set(t.Context(), someEntries(1))
	require.NoError(t, err)
	require.Equal(t, theirs, foreignAt(t, h.path))
	require.Len(t, report.Saved, 1)
	require.Equal(t, latest, contentAt(t, report.Saved[0]))

	report, err = h.Set(t.Context(), someEntries(1))
	require.NoError(t, err)
	require.Empty(t, report.Saved, "told once")
}

// TestRestlessWriter writes to the file between any two looks at it: the update
// gets through all the same, and nothing is lost.
func TestRestlessWriter(t *testing.T) {
	for about, write := range map[string]func(path, text string) error{"append": appendFile, "rename": renameFile} {
		h, _ := crashFile(t)
		want := crashForeign + "\n"
		appendTo(t, h.path, "\n")
		h.disk.Step = func(op, _ string) error {
			if op != "create" || len(want) > 1000 {
				return nil
			}
			line := fmt.Sprintf("10.0.0.9 db-%d\n", len(want))
			want += line
			return write(h.path, line)
		}
		_, err := h.Set(t.Context(), someEntries(1))
		require.NoError(t, err, about)
		require.Equal(t, want, foreignAt(t, h.path), about)
		requireNothingBeside(t, h.path)
	}
}

// TestLinesStayInSight has a program read the file while a new version is put in
// place, and rename one of its own over it afterwards: a line that another has
// just appended, and seen in the file, must not be lost with that.
func TestLinesStayInSight(t *testing.T) {
	h, _ := crashFile(t)
	appendTo(t, h.path, "\n")
	const seen, other = "10.0.0.9 seen\n", "10.0.0.8 other\n"
	appended, exchanges := make(chan error, 1), 0
	var read []byte
	h.disk.Step = func(op, _ string) (err error) {
		switch {
		case op == "exchange" && exchanges == 0:
			exchanges++
			go func() { appended <- appendFile(h.path, seen) }()
			select {
			case err := <-appended:
				appended <- err
			case <-time.After(5 * time.Millisecond): // it waits in open
			}
		case op == "stat" && read == nil:
			read, err = os.ReadFile(h.path)
		case op == "syncdir" && exchanges == 1:
			exchanges++
			err = errors.Join(os.WriteFile(h.path+".draft", append(read, other...), 0o644), os.Rename(h.path+".draft", h.path))
		}
		return err
	}
	_, err := h.Set(t.Context(), someEntries(1))
	require.NoError(t, err)
	require.NoError(t, <-appended)
	h.disk.Step = nil
	_, err = h.Set(t.Context(), someEntries(2))
	require.NoError(t, err)
	require.Contains(t, contentAt(t, h.path), seen)
	require.Contains(t, contentAt(t, h.path), other)
	requireNothingBeside(t, h.path)
}
