package hostsfile

import (
	"context"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/devtun/devtun/internal/disk"
	"github.com/devtun/devtun/internal/pause"
)

// A fight: another program takes our lines out again each time they are put
// back. Each loss within lossesApart of the last doubles the pause, up to maxPause.
const (
	lossesApart = time.Minute
	maxPause    = time.Minute
)

// Watch calls lost when the names that Set wrote last are not in the file any
// more, or not all of them: some other program has written it without them. It
// looks at the file's date and size every so often (a second is fine) and calls
// once for a change, later and later if it happens again and again. lost may
// call Set to put the names back. Where the names are there, it calls duplicate for each
// version of the file with the other sessions that give some of them, often none.
// Watch runs until ctx ends and returns its error.
func (h *File) Watch(ctx context.Context, every time.Duration, lost func(), duplicate func([]Duplicate)) error {
	var (
		seen    fs.FileInfo
		last    time.Time
		first   = true
		backoff = pause.Backoff{Min: every, Max: maxPause}
	)
	for pause.Sleep(ctx, every) == nil {
		info, err := os.Stat(h.path)
		if err != nil || disk.SameVersion(seen, info) {
			continue // a file that is gone may come back; it is not made here
		}
		whole, others, err := h.intact()
		if err != nil {
			continue
		}
		if whole {
			seen = info
			duplicate(others)
			continue
		}
		if time.Since(last) > lossesApart {
			first = true
			backoff.Reset()
		}
		if !first && backoff.Sleep(ctx) != nil {
			break
		}
		first = false
		last = time.Now()
		seen = info // once for this version; what lost writes is another
		lost()
	}
	return ctx.Err()
}

// intact reports whether the file has this session's lines as Set wrote them, and
// who else that lives gives names of these.
func (h *File) intact() (whole bool, others []Duplicate, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now, err := h.disk.Read(h.path)
	if err != nil {
		return false, nil, err
	}
	ours, _ := split(now.Content)
	kept, _ := dropDead(ours, h.alive)
	mine := slices.DeleteFunc(slices.Clone(ours), func(l line) bool { return l.session != h.session })
	whole = slices.EqualFunc(mine, h.block, func(a, b line) bool { return a.body == b.body })
	return whole, duplicates(kept, h.session), nil
}
