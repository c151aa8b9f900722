package hostsfile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/devtun/devtun/internal/disk"
)

// record is the journal of one overwrite.
type record struct {
	Path     string // for a human who finds it
	Old, New []byte // the file's whole content before and after
}

// journalPath is where the journal of the hosts file lies. It goes by the file
// itself: in another container or mount namespace the path is another's.
func journalPath(dir, path string, info fs.FileInfo) string {
	key := path + "\x00" + strconv.FormatUint(disk.Inode(info), 10)
	return filepath.Join(dir, "hosts-"+digest([]byte(key))+".json")
}

// journalDraft is the journal while it is written.
func journalDraft(journal string) string { return journal + ".draft" }

// writeRecord makes the journal durable. Any older one is replaced.
func (d files) writeRecord(journal string, r record) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	dir := filepath.Dir(journal)
	if err := d.Do("mkdir", dir, func() error { return os.MkdirAll(dir, 0o755) }); err != nil {
		return err
	}
	return d.WriteFile(journal, journalDraft(journal), raw, 0o600)
}

// removeRecord makes the end of an overwrite durable.
func (d files) removeRecord(journal string) error {
	if err := d.Remove(journal); err != nil {
		return fmt.Errorf("remove journal: %w", err)
	}
	return d.SyncDir(filepath.Dir(journal))
}

// replay finishes the overwrite of path that a killed process has left half
// done. If the file holds neither what the journal began from nor what it was to
// become, somebody else has made it anew: then the journal is set aside and
// saved tells where.
func (d files) replay(ctx context.Context, path, journal string) (saved string, err error) {
	if err := d.Remove(journalDraft(journal)); err != nil {
		return "", err
	}
	var raw []byte
	err = d.Do("read", journal, func() (err error) {
		raw, err = os.ReadFile(journal)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var r record
	if json.Unmarshal(raw, &r) != nil {
		return d.setAside(journal)
	}
	file, err := d.OpenExclusive(ctx, path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	content, err := disk.ContentOf(file)
	if err != nil {
		return "", err
	}
	switch r.examine(content) {
	case complete:
	case torn:
		if err := d.redo(file, content, r, journal); err != nil {
			return "", err
		}
	case unrelated:
		return d.setAside(journal)
	}
	return "", d.removeRecord(journal)
}

// setAside keeps a journal for a human and out of the way.
func (d files) setAside(journal string) (saved string, err error) {
	saved = journal + ".saved-" + random()
	return saved, d.Rename(journal, saved)
}

// redo writes the new content over a torn one. What others have appended since
// follows it.
func (d files) redo(file *os.File, content []byte, r record, journal string) error {
	reach := max(len(r.Old), len(r.New))
	appended := content[reach:]
	if len(appended) == 0 {
		return d.Overwrite(file, len(content), r.New)
	}
	// First the whole of the bytes that were in doubt, then, with a journal of
	// its own, the move of what follows them.
	complete := append(bytes.Clone(r.New), r.Old[min(len(r.New), len(r.Old)):]...)
	if err := d.Overwrite(file, reach, complete); err != nil {
		return err
	}
	if len(r.New) == reach {
		return nil
	}
	move := record{
		Path: r.Path,
		Old:  append(complete, appended...),
		New:  append(bytes.Clone(r.New), appended...),
	}
	if err := d.writeRecord(journal, move); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return d.Overwrite(file, len(content), move.New)
}

// state is what a file is after an overwrite that may have been cut short.
type state int

const (
	complete  state = iota // the old or the new content, perhaps more behind it
	torn                   // something of both
	unrelated              // something else
)

// examine compares content with what Overwrite does on its way from Old to New.
func (r record) examine(content []byte) state {
	if rest, ok := bytes.CutPrefix(content, r.New); ok {
		shorter := len(r.New) < len(r.Old)
		if !shorter || !bytes.HasPrefix(rest, r.Old[len(r.New):]) {
			return complete
		}
		return torn // not truncated yet
	}
	reach := max(len(r.Old), len(r.New))
	if len(content) >= reach && r.mixed(content[:reach]) {
		return torn
	}
	if bytes.HasPrefix(content, r.Old) {
		return complete
	}
	return unrelated
}

// mixed reports that every byte is the old, the new, or zero: blocks reach the
// disk in any order.
func (r record) mixed(content []byte) bool {
	for i, c := range content {
		isOld := i < len(r.Old) && c == r.Old[i]
		isNew := i < len(r.New) && c == r.New[i]
		if c != 0 && !isOld && !isNew {
			return false
		}
	}
	return true
}
