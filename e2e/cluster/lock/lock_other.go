//go:build !unix

package lock

import (
	"context"
	"errors"
	"fmt"
)

// Directory is not offered on this system: no local cluster can run here.
func Directory(_ context.Context, path string, _ func()) (unlock func(), err error) {
	return nil, fmt.Errorf("lock directory %s: %w", path, errors.ErrUnsupported)
}
