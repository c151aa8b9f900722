package background

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"

	"github.com/gofrs/flock"
)

const (
	// claimTimeout bounds the wait for a lock: those who only look hold it for a moment.
	claimTimeout = time.Second
	claimEvery   = 10 * time.Millisecond

	// makeAttempts bounds how often the directory is made.
	makeAttempts = 10

	// maxSocketPath is what systems take for a socket's path, in bytes (macOS: 104).
	maxSocketPath = 103
)

// BusyError says that a session of that name runs.
type BusyError struct{ Name string }

func (e *BusyError) Error() string { return fmt.Sprintf("session %q is already running", e.Name) }

// Place is what a session's process holds of its directory.
type Place struct {
	Listener *net.UnixListener
	Log      *Log // nil for a command in the foreground

	directory Directory
	name      string
	lock      *flock.Flock
}

// Claim takes the place of a session, and removes what a dead one of that name has
// left. The caller closes it. It fails with a *BusyError if one runs.
func (d Directory) Claim(name string) (*Place, error) {
	return d.take(name, func(p *Place) error {
		if err := p.listen(); err != nil {
			return err
		}
		return p.openLog()
	})
}

// take takes the place of a name, and opens it.
func (d Directory) take(name string, open func(*Place) error) (*Place, error) {
	var p *Place
	var err error
	for range makeAttempts {
		if err = d.make(); err != nil {
			return nil, err
		}
		if p, err = d.claim(name); !errors.Is(err, fs.ErrNotExist) {
			break
		} // the last user of the directory has removed it meanwhile
	}
	if err != nil {
		return nil, err
	}
	if err := open(p); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// claim takes the lock alone.
func (d Directory) claim(name string) (*Place, error) {
	p := &Place{directory: d, name: name, lock: flock.New(d.path(name, lockSuffix), flock.SetPermissions(0o600))}
	ctx, cancel := context.WithTimeout(context.Background(), claimTimeout)
	defer cancel()
	for {
		free, err := p.lock.TryLockContext(ctx, claimEvery)
		if !free {
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return nil, fmt.Errorf("claim session %q: %w", name, err)
			}
			return nil, &BusyError{name}
		}
		if p.holds() {
			return p, nil
		}
		_ = p.lock.Close() // another one has removed this file meanwhile
	}
}

// holds reports that the file that is locked is still the one in the directory.
func (p *Place) holds() bool {
	locked, err := p.lock.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(p.lock.Path())
	return err == nil && os.SameFile(locked, there)
}

// Name is the session's.
func (p *Place) Name() string { return p.name }

func (p *Place) listen() (err error) {
	socket := p.directory.path(p.name, socketSuffix)
	if len(socket) > maxSocketPath {
		return fmt.Errorf("the path of the session's socket is too long for the system: %s", socket)
	}
	if err := remove(socket); err != nil { // a dead session's: this one has the lock
		return err
	}
	if p.Listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"}); err != nil {
		return fmt.Errorf("open the session's socket: %w", err)
	}
	return os.Chmod(socket, 0o600)
}

func (p *Place) openLog() (err error) {
	p.Log, err = p.directory.openLog(p.name)
	return err
}

// Close gives the place up. The log stays, for who wants to know what happened.
func (p *Place) Close() error {
	var errs []error
	if p.Listener != nil {
		if err := p.Listener.Close(); !errors.Is(err, net.ErrClosed) { // it removes the socket
			errs = append(errs, err)
		}
	}
	if p.Log != nil {
		errs = append(errs, p.Log.Close())
	}
	return errors.Join(append(errs, remove(p.lock.Path()), p.lock.Close())...)
}

// Remove gives the place up and leaves nothing.
func (p *Place) Remove() error {
	errs := []error{p.directory.removeLogs(p.name), remove(p.directory.path(p.name, socketSuffix))}
	if p.Listener != nil {
		p.Listener.SetUnlinkOnClose(false)
	}
	errs = append(errs, p.Close())
	if Foreground(p.name) {
		errs = append(errs, p.directory.removeEmpty())
	}
	return errors.Join(errs...)
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
