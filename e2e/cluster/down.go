package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// tearDown ends what runs of a directory's cluster and removes all of it but the
// directory. Every step may find its work done already.
func tearDown(ctx context.Context, dir string) error {
	s, err := loadState(dir)
	if err != nil {
		return err
	}
	owners := []state{newState(dir)}
	if moved(dir, s) {
		owners = append(owners, s)
	}
	for i, pid := range slices.Backward(s.PIDs[:]) {
		if err := killNode(ctx, filepath.Join(dir, homeOf(i+1)), pid); err != nil {
			return err
		}
	}
	for _, s := range owners {
		if err := removeCgroups(ctx, s.cgroup()); err != nil {
			return err
		}
		if err := removeLink(ctx, s.device()); err != nil {
			return err
		}
	}
	// The state goes last: with it, the rest can be done again.
	for i := len(contents) - 1; i >= 0; i-- {
		if err := os.RemoveAll(filepath.Join(dir, contents[i])); err != nil {
			return fmt.Errorf("remove cluster: %w", err)
		}
	}
	return nil
}

// moved tells whether the directory's cluster was made under another name. A mere
// copy of a cluster's directory says so too, but has no claim to what it speaks of.
func moved(dir string, s state) bool {
	if s.Dir == dir {
		return false
	}
	_, err := os.Stat(s.Dir)
	return errors.Is(err, fs.ErrNotExist) || nodeLives(dir, s.PIDs[0])
}

// destroy is Down, with the directory locked.
func destroy(ctx context.Context, dir string) error {
	if err := checkDirectory(dir); err != nil {
		return err
	}
	if err := tearDown(ctx, dir); err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove cluster: %w", err)
	}
	return nil
}
