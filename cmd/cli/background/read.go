package background

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/devtun/devtun/internal/lines"
	"github.com/devtun/devtun/internal/pause"
)

// logEvery is how often a log that is followed is looked at.
const logEvery = 100 * time.Millisecond

// ErrNoLog means that no session of a name has left a log.
var ErrNoLog = errors.New("there is no log")

// ReadLog writes the lines of a session's log since a time to out. With follow it goes
// on with what comes, until the session ends or ctx does, which is no error.
func (d Directory) ReadLog(ctx context.Context, name string, since time.Time, follow bool, out io.Writer) error {
	file, err := os.Open(d.path(name, logSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoLog
	}
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	defer func() { file.Close() }()
	r := &reader{since: since, out: out}
	for _, path := range d.rotatedLogs(name) {
		if err := r.copyOlder(path, file); err != nil {
			return err
		}
	}
	for {
		running := follow && d.Runs(name) // before the last look, or its last words were missed
		if err := r.copy(file); err != nil {
			return err
		}
		if next := d.replaced(name, file); next != nil {
			err := r.copy(file) // what came before it was renamed
			file.Close()
			file = next
			if err != nil {
				return err
			}
			continue
		}
		if !running {
			return nil
		}
		if pause.Sleep(ctx, logEvery) != nil {
			return nil
		}
	}
}

// replaced is the log, opened, if it is another file by now.
func (d Directory) replaced(name string, file *os.File) *os.File {
	next, err := os.Open(d.path(name, logSuffix))
	if err != nil {
		return nil
	}
	was, err := file.Stat()
	is, err2 := next.Stat()
	if err != nil || err2 != nil || os.SameFile(was, is) {
		next.Close()
		return nil
	}
	return next
}

// reader writes lines that are young enough.
type reader struct {
	since time.Time
	out   io.Writer
	text  lines.Splitter
}

// copyOlder copies a log that was rotated, unless it is the one that is being read: it
// may have been renamed just now.
func (r *reader) copyOlder(path string, current *os.File) error {
	older, err := os.Open(path)
	if err != nil {
		return nil // it has been removed meanwhile
	}
	defer older.Close()
	if is, err := older.Stat(); err == nil {
		if was, err := current.Stat(); err == nil && os.SameFile(is, was) {
			return nil
		}
	}
	return r.copy(older)
}

// copy writes what there is to read.
func (r *reader) copy(file *os.File) error {
	buffer := make([]byte, 64<<10)
	for {
		n, err := file.Read(buffer)
		for line := range r.text.Add(buffer[:n]) {
			if !r.young(line) {
				continue
			}
			if _, err := fmt.Fprintln(r.out, line); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
	}
}

// young reports that a line is not from before the time since which it is read.
func (r *reader) young(line string) bool {
	if len(line) < len(stamp) {
		return true
	}
	at, err := time.Parse(stamp, line[:len(stamp)])
	return err != nil || !at.Before(r.since)
}
