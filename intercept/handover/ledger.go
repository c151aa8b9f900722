package handover

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Ledger is what devtun has written on this machine for one user: a small file
// for each env file and each folder, written before the change that it records.
type Ledger struct {
	// Dir is made on demand. It holds sums of secrets, so it is the user's alone.
	Dir string
	// Owner names this session.
	Owner string
	// Alive reports whether another session still runs. Nil means that none does.
	Alive func(owner string) bool
}

// record is what was written to one path.
type record struct {
	Path   string
	Owner  string
	Folder bool
	Kept   bool        // on purpose: the session is over
	Made   bool        // the folder itself
	Mode   fs.FileMode // the folder's before
	// Sums has for each file, by its path within the folder, the contents that
	// are ours. An env file's path is empty.
	Sums map[string][]string
}

// ForeignError says that a path holds what devtun has not written.
type ForeignError struct {
	Path string
	File string // within Path, if that is a folder
}

func (e *ForeignError) Error() string {
	if e.File != "" {
		return fmt.Sprintf("%s holds a file that devtun has not written or that was changed since: %s", e.Path, e.File)
	}
	return fmt.Sprintf("%s exists, and devtun has not written it or it was changed since", e.Path)
}

// BusyError says that another session that still runs writes to a path.
type BusyError struct{ Path, Owner string }

func (e *BusyError) Error() string {
	return fmt.Sprintf("%s is in use by another devtun (%s)", e.Path, e.Owner)
}

// claim returns the record of path, which from then on is this session's. It is
// not saved yet.
func (l Ledger) claim(path string, folder bool) (*record, error) {
	r, err := l.load(l.file(path))
	if errors.Is(err, fs.ErrNotExist) {
		return &record{Path: path, Folder: folder, Owner: l.Owner, Sums: make(map[string][]string)}, nil
	}
	if err != nil {
		return nil, err
	}
	if l.busy(r) {
		return nil, &BusyError{Path: path, Owner: r.Owner}
	}
	if r.Folder != folder {
		r = &record{Path: path, Folder: folder, Sums: make(map[string][]string)}
	}
	r.Owner, r.Kept = l.Owner, false
	return r, nil
}

// busy reports whether a record is that of another session that still runs.
func (l Ledger) busy(r *record) bool {
	return !r.Kept && r.Owner != l.Owner && l.Alive != nil && l.Alive(r.Owner)
}

// file is where the record of path is.
func (l Ledger) file(path string) string {
	return filepath.Join(l.Dir, sumOf([]byte(path))[:32]+".json")
}

func (l Ledger) load(file string) (*record, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, &LedgerError{"read ledger", err}
	}
	r := new(record)
	if err := json.Unmarshal(content, r); err != nil {
		return nil, &LedgerError{"read ledger " + file, err}
	}
	if r.Sums == nil {
		r.Sums = make(map[string][]string)
	}
	return r, nil
}

// save makes a record durable.
func (l Ledger) save(r *record) error {
	content, err := json.Marshal(r)
	if err == nil {
		err = os.MkdirAll(l.Dir, 0o700)
	}
	if err == nil {
		err = replace(l.file(r.Path), content)
	}
	if err != nil {
		return &LedgerError{"write ledger", err}
	}
	return nil
}

// forget removes the record of a path where nothing of ours is left.
func (l Ledger) forget(r *record) error {
	err := os.Remove(l.file(r.Path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &LedgerError{"write ledger", err}
	}
	return nil
}

// records are all that can be read.
func (l Ledger) records() (records []*record, err error) {
	entries, err := os.ReadDir(l.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, &LedgerError{"read ledger", err}
	}
	err = nil
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".json") {
			continue
		}
		r, rerr := l.load(filepath.Join(l.Dir, entry.Name()))
		if rerr != nil {
			err = errors.Join(err, rerr)
			continue
		}
		records = append(records, r)
	}
	return records, err
}

// ours reports whether content of that sum at that path is what we wrote.
func (r *record) ours(path, sum string) bool { return slices.Contains(r.Sums[path], sum) }

// sumOf stands for content in a record.
func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
