package hostsfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/devtun/devtun/internal/statedir"
)

// Stale reports whether there is anything in the hosts file or beside it that
// Clean would remove or finish. It needs no right to write.
func (h *File) Stale() (bool, error) {
	target, err := filepath.EvalSymlinks(h.path)
	if err != nil {
		return false, err
	}
	now, err := h.disk.Read(target)
	if err != nil {
		return false, err
	}
	ours, _ := split(now.Content)
	if kept, _ := dropDead(ours, h.alive); len(kept) < len(ours) {
		return true, nil
	}
	files, err := h.disk.List(filepath.Dir(target), besidePrefix(target))
	if err != nil {
		return false, err
	}
	for _, file := range files {
		name := strings.TrimPrefix(filepath.Base(file), besidePrefix(target))
		if _, ok := parseSwapFile(name); ok || name == draftName {
			return true, nil
		}
	}
	// Root's journals too: a helper writes on behalf of a user.
	for _, state := range []string{h.state, statedir.Root()} {
		_, err := os.Stat(journalPath(state, target, now.Info))
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return false, nil
}
