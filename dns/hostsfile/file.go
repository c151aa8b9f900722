package hostsfile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/devtun/devtun/dns/namecache"
	"github.com/devtun/devtun/internal/disk"
	"github.com/devtun/devtun/internal/proc"
	"github.com/devtun/devtun/internal/statedir"
)

// File is one session's hold on the hosts file. It is safe for concurrent use
// and keeps nothing open between calls.
//
// Whatever else is in the file is somebody else's: every method leaves it byte
// for byte, also when other programs write at the same time and when this one
// is killed halfway. Every method also finishes what a killed devtun has left.
// Errors are fs.ErrPermission where the file cannot be written, fs.ErrNotExist
// where it is not there (only Create makes it), *disk.LockError, or the file system's own.
type File struct {
	path          string
	session       string
	owner         proc.ID
	state         string        // directory of journals
	inPlace       bool          // never replaced, only overwritten
	writerTimeout time.Duration // for other programs, see below
	disk          files
	flush         func(context.Context) error // empties the system's cache of names
	alive         func(proc.ID) bool

	mu    sync.Mutex // one call at a time
	block []line     // what Set wrote last
}

// writerTimeout bounds how long one update waits for programs that have the old
// version open for writing. What they write later is found by the next update.
const writerTimeout = 250 * time.Millisecond

// Report is what a write to the hosts file came upon.
type Report struct {
	Wrote      bool        // the file was not as wanted and had to be written
	Cleaned    []proc.ID   // dead owners whose names were removed
	Conflicts  []Conflict  // foreign lines about names of ours; they stay
	Duplicates []Duplicate // other sessions that give names of ours too
	Saved      []string    // files kept since their foreign changes fit nowhere
}

// New makes this process's session for the hosts file at path; empty means
// the system's. It touches nothing.
func New(path string) (*File, error) {
	owner, err := proc.Self()
	if err != nil {
		return nil, err
	}
	return Of(owner, path)
}

// Of makes the session of another process, on whose behalf this one writes.
// Whoever writes for an owner has the same session.
func Of(owner proc.ID, path string) (*File, error) {
	if path == "" {
		path = systemHosts()
	}
	state, err := statedir.Own()
	if err != nil {
		return nil, fmt.Errorf("find state directory: %w", err)
	}
	return &File{
		path:          path,
		session:       sessionOf(owner),
		owner:         owner,
		state:         state,
		writerTimeout: writerTimeout,
		flush:         namecache.Flush,
		alive:         proc.ID.Alive,
	}, nil
}

// Path is the hosts file's path as given, or the system's.
func (h *File) Path() string { return h.path }

// Set makes entries this session's names, all of them and no others, in one
// write; none if the file has them already. No entries is Remove.
func (h *File) Set(ctx context.Context, entries []Entry) (Report, error) {
	if err := Check(entries); err != nil {
		return Report{}, fmt.Errorf("set names: %w", err)
	}
	block := newBlock(h.session, h.owner, entries)
	h.mu.Lock()
	defer h.mu.Unlock()
	u, err := h.update(ctx, func(ours []line) []line {
		return replaceBlock(ours, h.session, block)
	})
	if err != nil {
		return u.report, fmt.Errorf("set names: %w", err)
	}
	h.block = block
	u.report.Duplicates = duplicates(u.ours, h.session)
	if u.report.Conflicts, err = conflicts(u.foreign, entries); err != nil {
		return u.report, fmt.Errorf("set names: %w", err)
	}
	return u.report, nil
}

// Remove takes this session's names out of the file.
func (h *File) Remove(ctx context.Context) (Report, error) {
	return h.Set(ctx, nil)
}

// Clean takes the names of dead sessions out of the file, as Set does too.
func (h *File) Clean(ctx context.Context) (Report, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	u, err := h.update(ctx, func(ours []line) []line { return ours })
	if err != nil {
		return u.report, fmt.Errorf("clean names: %w", err)
	}
	return u.report, nil
}

// InPlace has the file overwritten, never replaced, and the journal of that kept in
// the directory state: another mount namespace has this very file mounted, and a
// new one in its place would not be seen there.
func (h *File) InPlace(state string) { h.inPlace, h.state = true, state }

// Delegate is Set where another process, the helper, does the writing for this
// one. Watch waits meanwhile.
func (h *File) Delegate(entries []Entry, write func() (Report, error)) (Report, error) {
	block := newBlock(h.session, h.owner, entries)
	h.mu.Lock()
	defer h.mu.Unlock()
	report, err := write()
	if err == nil {
		h.block = block
	}
	return report, err
}

// Create makes the hosts file, empty, if it is not there.
func (h *File) Create() error {
	file, err := os.OpenFile(h.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create hosts file: %w", err)
	}
	return file.Close()
}

// Writable reports why this process may not write the hosts file; nil means
// that it may.
func (h *File) Writable() error {
	info, err := os.Stat(h.path)
	if err == nil {
		err = disk.CheckRegular(h.path, info)
	}
	if err != nil {
		return notWritable(err)
	}
	file, err := os.OpenFile(h.path, os.O_WRONLY, 0)
	if err != nil {
		return notWritable(err)
	}
	return file.Close()
}

// notWritable makes every such error fs.ErrPermission.
func notWritable(err error) error {
	if disk.Denied(err) && !errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w: %w", os.ErrPermission, err)
	}
	return err
}

// update rewrites our lines by edit, and returns what it has found and done.
func (h *File) update(ctx context.Context, edit func([]line) []line) (*update, error) {
	u := &update{File: h, edit: edit, overwriteOnly: h.inPlace}
	err := notWritable(u.run(ctx))
	h.flushAfter(ctx, u.report)
	return u, err
}

// flushAfter empties the system's cache of names if report says that the file was
// written, and if it is the one that the system reads.
func (h *File) flushAfter(ctx context.Context, report Report) {
	if report.Wrote && h.path == systemHosts() {
		_ = h.flush(ctx) // the names are written, whatever comes of it
	}
}

// Foreign is what the hosts file at path holds beside the names of all sessions.
func Foreign(path string) ([]byte, error) {
	now, err := disk.FS{}.Read(path)
	if err != nil {
		return nil, err
	}
	_, foreign := split(now.Content)
	return foreign, nil
}

// noteDead adds to the owners that were found dead.
func (r *Report) noteDead(dead []proc.ID) {
	for _, owner := range dead {
		if !slices.Contains(r.Cleaned, owner) {
			r.Cleaned = append(r.Cleaned, owner)
		}
	}
}

// sessionOf names the owner's block in the hosts file: sessionLen digits, the same
// for everybody who asks.
func sessionOf(owner proc.ID) string {
	sum := sha256.Sum256([]byte(owner.String()))
	return hex.EncodeToString(sum[:sessionLen/2])
}
