package helper

import (
	"errors"
	"io/fs"
	"net/netip"
	"syscall"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/internal/disk"
	"github.com/devtun/devtun/internal/proc"
)

// failure is an error on its way from the helper to the program. It keeps what
// callers ask of the errors of a dns.Machine: the system's reason, the path, and
// who stands in the way.
type failure struct {
	Message string         `json:"message"`
	Errno   int            `json:"errno,omitempty"` // both ends run on one system
	Path    string         `json:"path,omitempty"`  // of a *fs.PathError
	Op      string         `json:"op,omitempty"`
	Listen  netip.AddrPort `json:"listen,omitzero"` // of a *dns.ListenError
	Lock    string         `json:"lock,omitempty"`  // of a *disk.LockError: its path
	Holder  proc.Process   `json:"holder,omitzero"` // of either
}

func newFailure(err error) *failure {
	f := &failure{Message: err.Error()}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		f.Errno = int(errno)
	}
	var listen *dns.ListenError
	var lock *disk.LockError
	var path *fs.PathError
	switch {
	case errors.As(err, &listen):
		f.Listen, f.Holder = listen.Addr, listen.Holder
	case errors.As(err, &lock):
		f.Lock, f.Holder = lock.Path, lock.Holder
	case errors.As(err, &path):
		f.Op, f.Path = path.Op, path.Path
	}
	return f
}

// err is the error as it was, as far as anybody asks.
func (f *failure) err() error {
	reason := errors.New(f.Message)
	if f.Errno != 0 {
		reason = syscall.Errno(f.Errno)
	}
	switch {
	case f.Listen.IsValid():
		return &dns.ListenError{Addr: f.Listen, Holder: f.Holder, Err: reason}
	case f.Lock != "":
		return &remote{f.Message, &disk.LockError{Path: f.Lock, Holder: f.Holder, Err: reason}}
	case f.Path != "":
		return &remote{f.Message, &fs.PathError{Op: f.Op, Path: f.Path, Err: reason}}
	}
	return &remote{f.Message, reason}
}

// remote is an error with the words that it had in the helper.
type remote struct {
	message string
	reason  error
}

func (r *remote) Error() string { return r.message }
func (r *remote) Unwrap() error { return r.reason }
