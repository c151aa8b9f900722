package hostsfile

import (
	"context"
	"errors"
	"fmt"

	"github.com/devtun/devtun/internal/disk"
)

// files is the file system, and what is done on it here.
type files struct{ disk.FS }

// lock keeps other devtun processes away from the hosts file at path until the
// returned function is called. Foreign programs know nothing of it.
func (d files) lock(ctx context.Context, path string) (unlock func(), err error) {
	unlock, err = d.Lock(ctx, newLock(path))
	var busy *disk.LockError
	if err != nil && !errors.As(err, &busy) {
		return nil, fmt.Errorf("lock hosts file: %w", err)
	}
	return unlock, err
}
