package hostsfile

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/devtun/devtun/internal/disk"
	"github.com/devtun/devtun/internal/pause"
)

// updateTimeout bounds one update. It needs two looks at the file while nobody else
// writes, one to write and one to find all well: some milliseconds. Every write
// of another program in between costs one more.
const updateTimeout = 5 * time.Second

// pollInterval is how long to wait between two looks at a file that is not there just now.
const pollInterval = 5 * time.Millisecond

// politePasses is how many passes may find that another program was quicker. Later
// ones put their version in place whatever is there, and what was there is merged
// by the pass that follows: programs that write all the time may miss a line of
// theirs for a moment, but do not keep devtun out.
const politePasses = 20

// errContended means that no pass found the file as the one before it had left it.
var errContended = errors.New("write hosts file: another program changes it all the time")

// update is one change of the hosts file. It goes in passes, each of which looks
// at the file and at what lies beside it, works out what the file must be, and
// either finds that it is so or writes it and looks again. Finishing a change
// that was just begun and one that a killed process began is thus the same.
type update struct {
	*File
	edit func([]line) []line

	target        string // the file itself, behind symbolic links
	overwriteOnly bool   // it cannot be replaced
	passes        int    // so far
	report        Report
	foreign       []byte // as of the last pass
	ours          []line // likewise, edited
}

func (u *update) run(ctx context.Context) error {
	target, err := filepath.EvalSymlinks(u.path)
	if err != nil {
		return err
	}
	u.target = target
	unlock, err := u.disk.lock(ctx, target)
	if err != nil {
		return err
	}
	defer unlock()
	if err := u.replay(ctx); err != nil {
		return fmt.Errorf("recover hosts file: %w", err)
	}
	waiting, cancel := context.WithTimeout(ctx, u.writerTimeout)
	defer cancel()
	end := time.Now().Add(updateTimeout)
	for {
		done, err := u.pass(ctx, waiting)
		u.passes++
		missing := errors.Is(err, fs.ErrNotExist) // some editors leave a gap between old and new
		switch {
		case done:
			return nil
		case err != nil && !missing:
			return err
		case time.Now().After(end):
			return cmp.Or(err, errContended)
		case missing:
			_ = pause.Sleep(ctx, pollInterval) // the end of ctx is looked for below
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// replay finishes an overwrite that was cut short.
func (u *update) replay(ctx context.Context) error {
	now, err := u.disk.Read(u.target)
	if err != nil {
		return err
	}
	saved, err := u.disk.replay(ctx, u.target, journalPath(u.state, u.target, now.Info))
	if saved != "" && err == nil {
		u.report.Saved = append(u.report.Saved, saved)
	}
	return err
}

// pass reports whether the file is as it must be and nothing lies beside it
// that could be dealt with now. It waits for foreign writers until waiting ends.
func (u *update) pass(ctx, waiting context.Context) (done bool, err error) {
	// The swap files first: whatever they lack was there before the file is read.
	swaps, err := u.disk.swapFiles(waiting, u.target)
	defer func() {
		for _, s := range swaps {
			s.lease.Close()
		}
	}()
	if err != nil {
		return false, err
	}
	now, err := u.disk.Read(u.target)
	if err != nil {
		return false, err
	}
	ours, foreign := split(now.Content)
	if swaps, foreign, err = u.merge(swaps, foreign); err != nil {
		return false, err
	}
	kept, dead := dropDead(ours, u.alive)
	u.report.noteDead(dead)
	u.foreign, u.ours = foreign, u.edit(kept)
	next := join(u.ours, foreign)
	if bytes.Equal(next, now.Content) {
		return u.discard(swaps)
	}
	u.report.Wrote = true
	return false, u.write(ctx, now, next)
}

// merge adds to foreign what the swap files have beyond it, and sets aside those
// that cannot be merged.
func (u *update) merge(swaps []swapFile, foreign []byte) ([]swapFile, []byte, error) {
	var kept []swapFile
	for i, s := range swaps {
		merged, ok := s.mergeInto(foreign)
		if ok {
			foreign = merged
			kept = append(kept, s)
			continue
		}
		saved := savedPath(u.target)
		if err := u.disk.Rename(s.path, saved); err != nil {
			return append(kept, swaps[i:]...), foreign, err
		}
		s.lease.Close()
		u.report.Saved = append(u.report.Saved, saved)
	}
	return kept, foreign, nil
}

// discard deletes swap files that hold nothing that the file does not. One that
// a program wants to write to just now needs another pass.
func (u *update) discard(swaps []swapFile) (done bool, err error) {
	done = true
	for _, s := range swaps {
		if s.lease.Broken() {
			done = false
			continue
		}
		if err := u.disk.Remove(s.path); err != nil {
			return false, err
		}
	}
	return done, nil
}

// write gives the file its next content, by replacing it or else in place.
func (u *update) write(ctx context.Context, now disk.Version, next []byte) error {
	if !u.overwriteOnly {
		err := u.disk.replace(u.target, now, next, u.passes > politePasses)
		if !errors.Is(err, errNotReplaceable) {
			return err
		}
		u.overwriteOnly = true
	}
	return u.disk.overwrite(ctx, u.target, now, next, journalPath(u.state, u.target, now.Info))
}
