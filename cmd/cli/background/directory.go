package background

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/devtun/devtun/internal/pause"
)

// Directory is where a user's sessions are.
type Directory string

// DirectoryError says that the directory is not fit to hold sessions: somebody else
// could read or change what is in it.
type DirectoryError struct {
	Path   string
	Reason string
}

func (e *DirectoryError) Error() string { return fmt.Sprintf("%s %s", e.Path, e.Reason) }

// Default is the user's directory: below the runtime directory that the system gives a
// user, or else below the one for temporary files, where another user may have been
// first. It is made when a session needs it.
func Default() (Directory, error) {
	path := filepath.Join(os.TempDir(), "devtun-"+strconv.Itoa(os.Getuid()))
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(runtime) && isThere(runtime) {
		path = filepath.Join(runtime, "devtun")
	}
	if !isThere(path) {
		return Directory(path), nil
	}
	return Directory(path), Directory(path).check()
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// check refuses a directory that is not fit to hold sessions.
func (d Directory) check() error {
	if err := checkDirectory(string(d)); err != nil {
		return fmt.Errorf("open the directory of sessions: %w", err)
	}
	return nil
}

// make makes the directory, if it is not there.
func (d Directory) make() error {
	if err := os.Mkdir(string(d), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the directory of sessions: %w", err)
	}
	return d.check()
}

const (
	// exitTimeout bounds the wait for a session's process, once all is put back.
	exitTimeout = 10 * time.Second

	// EndTimeout bounds the wait for a session that is to end: an intercept may wait a
	// minute for the API server to be restored, and then half a minute for connections.
	EndTimeout = 90*time.Second + exitTimeout
)

const (
	lockSuffix   = ".lock"
	socketSuffix = ".sock"
	logSuffix    = ".log"
)

func (d Directory) path(name, suffix string) string { return filepath.Join(string(d), name+suffix) }

// Names are the sessions that have left anything here, those that run among them.
func (d Directory) Names() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if name, ok := owner(entry.Name()); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// owner is the session that a file of the directory is of.
func owner(file string) (name string, ok bool) {
	if match := rotated.FindStringSubmatch(file); match != nil {
		return match[1], true
	}
	for _, suffix := range []string{lockSuffix, socketSuffix, logSuffix} {
		if name, ok := strings.CutSuffix(file, suffix); ok {
			return name, true
		}
	}
	return "", false
}

// Running are the sessions that run.
func (d Directory) Running() ([]string, error) {
	names, err := d.Names()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(name string) bool { return !d.Runs(name) }), nil
}

// Runs reports whether a process holds the session of that name.
func (d Directory) Runs(name string) bool {
	path := d.path(name, lockSuffix)
	if _, err := os.Lstat(path); err != nil {
		return false
	}
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
	free, err := lock.TryRLock() // readers do not keep each other out
	if err != nil {
		return false
	}
	if free {
		_ = lock.Close() // it was only looked at
	}
	return !free
}

// AwaitEnd waits until no process holds the session of that name, once all is put back.
func (d Directory) AwaitEnd(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, exitTimeout)
	defer cancel()
	for d.Runs(name) {
		if err := pause.Sleep(ctx, awaitEvery); err != nil {
			return fmt.Errorf("session %s has put everything back, but does not end: %w", name, err)
		}
	}
	return nil
}

// Clean removes what sessions have left that run no more, and returns their names. What
// it cannot remove keeps it from no other.
func (d Directory) Clean() (cleaned []string, err error) {
	names, err := d.Names()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		removed, cerr := d.clean(name)
		if removed {
			cleaned = append(cleaned, name)
		}
		err = errors.Join(err, cerr)
	}
	return cleaned, err
}

// clean removes what the session of a name has left, unless it runs.
func (d Directory) clean(name string) (removed bool, err error) {
	if d.Runs(name) {
		return false, nil
	}
	place, err := d.claim(name)
	var busy *BusyError
	if errors.As(err, &busy) { // it has just begun
		return false, nil
	}
	if err == nil {
		err = place.Remove()
	}
	if err != nil {
		return false, fmt.Errorf("clean session %q: %w", name, err)
	}
	return true, nil
}
