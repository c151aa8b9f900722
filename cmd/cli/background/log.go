package background

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// maxLog bounds a log file, in bytes. There are two: the second is the one before.
const maxLog = 4 << 20

// stamp begins each line of a log. It is of one length, in UTC.
const stamp = "2006-01-02T15:04:05.000Z"

// Log is what a session says, with the time, on disk.
type Log struct {
	path, older string
	limit       int

	mu   sync.Mutex
	file *os.File
	size int
	part []byte // of a line that has no end yet
}

func openLog(path, older string) (*Log, error) {
	l := &Log{path: path, older: older, limit: maxLog}
	if err := remove(older); err != nil {
		return nil, err
	}
	return l, l.begin(os.O_TRUNC)
}

func (l *Log) begin(flag int) (err error) {
	if l.file, err = os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND|flag, 0o600); err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	l.size = 0
	return nil
}

// Name is the path of the log.
func (l *Log) Name() string { return l.path }

// Write implements io.Writer. Lines are written when they are whole.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return 0, os.ErrClosed
	}
	now := time.Now().UTC().Format(stamp)
	var text bytes.Buffer
	l.part = append(l.part, p...)
	for {
		line, rest, whole := bytes.Cut(l.part, []byte("\n"))
		if !whole {
			break
		}
		fmt.Fprintf(&text, "%s %s\n", now, line)
		l.part = rest
	}
	if l.size > 0 && l.size+text.Len() > l.limit {
		if err := l.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := l.file.Write(text.Bytes())
	l.size += n
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (l *Log) rotate() error {
	l.file.Close()
	l.file = nil
	if err := os.Rename(l.path, l.older); err != nil {
		return fmt.Errorf("rotate log: %w", err)
	}
	return l.begin(0)
}

// Close ends the log, but leaves it there.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	if errors.Is(err, os.ErrClosed) {
		err = nil
	}
	return err
}
