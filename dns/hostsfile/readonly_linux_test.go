package hostsfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// readOnlyRole has names in the hosts file when it, or its directory, becomes
// read-only, and takes them out when it is writable again.
func readOnlyRole(args []string) error {
	etc, mounted := args[0], args[1]
	path := filepath.Join(etc, "hosts")
	if err := mountSmall(etc); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(fullOriginal), 0o644); err != nil {
		return err
	}
	if err := unix.Mount(mounted, mounted, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s: %w", mounted, err)
	}
	h, err := New(path)
	if err != nil {
		return err
	}
	h.state = args[2]
	ctx := context.Background()
	if _, err := h.Set(ctx, someEntries(3)); err != nil {
		return err
	}
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}

	if err := unix.Mount("", mounted, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("remount %s: %w", mounted, err)
	}
	_, remove := h.Remove(ctx)
	_, set := h.Set(ctx, someEntries(4))
	for _, err := range []error{remove, set, h.Writable()} {
		if !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("write a read-only hosts file: %v", err)
		}
	}
	if _, err := h.Set(ctx, someEntries(3)); err != nil {
		return fmt.Errorf("names that are there need no write: %w", err)
	}
	if err := requireDisk(etc, string(before)); err != nil {
		return err
	}

	if err := unix.Mount("", mounted, "", unix.MS_REMOUNT|unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("remount %s: %w", mounted, err)
	}
	if _, err := h.Remove(ctx); err != nil {
		return err
	}
	return requireDisk(etc, fullOriginal)
}

func TestReadOnly(t *testing.T) {
	for about, mounted := range map[string]string{"file": "hosts", "directory": ""} {
		t.Run(about, func(t *testing.T) {
			etc := t.TempDir()
			state := filepath.Join(t.TempDir(), "state")
			out, err := inNamespace("readonly", etc, filepath.Join(etc, mounted), state).CombinedOutput()
			require.NoError(t, err, string(out))
			if journals, err := os.ReadDir(state); !errors.Is(err, fs.ErrNotExist) {
				require.NoError(t, err)
				require.Empty(t, journals)
			}
		})
	}
}
