package background

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/devtun/devtun/internal/lines"
)

// maxLog bounds a log file, in MiB. There are two: the other is the one before.
const maxLog = 4

// stamp begins each line of a log. It is of one length, in UTC.
const stamp = "2006-01-02T15:04:05.000Z"

// Log is what a session says, with the time, on disk.
type Log struct {
	mu   sync.Mutex
	file *lumberjack.Logger // nil: closed
	path string
	said lines.Splitter
}

// openLog begins a log of a session of that name, and removes what an earlier one has
// written.
func (d Directory) openLog(name string) (*Log, error) {
	if err := d.removeLogs(name); err != nil {
		return nil, err
	}
	path := d.path(name, logSuffix)
	// A file that is there is opened to be appended to: others write to it as well,
	// see leaveTerminal.
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return &Log{path: path, file: &lumberjack.Logger{Filename: path, MaxSize: maxLog, MaxBackups: 1}}, nil
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
	for line := range l.said.Add(p) {
		fmt.Fprintf(&text, "%s %s\n", now, line)
	}
	if _, err := l.file.Write(text.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
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
	return err
}

// rotated is what lumberjack calls the log before the one that is written: the session's
// name, when it was renamed, and the suffix. No session can be called so.
var rotated = regexp.MustCompile(`^(.+)-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}\.log$`)

// rotatedLogs are the paths of a session's logs before the one that is written, oldest
// first.
func (d Directory) rotatedLogs(name string) (paths []string) {
	files, _ := filepath.Glob(d.path(name, "-*"+logSuffix)) // names have no letters of patterns in them
	for _, path := range files {
		if match := rotated.FindStringSubmatch(filepath.Base(path)); match != nil && match[1] == name {
			paths = append(paths, path)
		}
	}
	return paths
}

// removeLogs removes all that a session has written.
func (d Directory) removeLogs(name string) error {
	var errs []error
	for _, path := range append(d.rotatedLogs(name), d.path(name, logSuffix)) {
		errs = append(errs, remove(path))
	}
	return errors.Join(errs...)
}
