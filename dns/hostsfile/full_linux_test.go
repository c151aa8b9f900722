package hostsfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/devtun/devtun/dns/loopback"
	"github.com/devtun/devtun/internal/proc"
)

const fullOriginal = "127.0.0.1\tlocalhost\n::1 localhost # no newline"

// fullRole has its hosts file on a file system of a few KiB that somebody else
// fills.
func fullRole(args []string) error {
	etc := args[0]
	state := filepath.Join(etc, "state")
	path, filler := filepath.Join(etc, "hosts"), filepath.Join(etc, "filler")
	if err := mountSmall(etc); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(fullOriginal), 0o644); err != nil {
		return err
	}
	leaseFiles := filepath.Join(etc, "leases", "of")
	if err := os.Mkdir(filepath.Dir(leaseFiles), 0o755); err != nil {
		return err
	}
	leases, err := loopback.OpenLeases(leaseFiles)
	if err != nil {
		return err
	}
	defer leases.Close()
	lease, err := leases.Assign("before")
	if err != nil {
		return err
	}
	h, err := New(path)
	if err != nil {
		return err
	}
	h.state = state
	ctx := context.Background()
	if _, err := h.Set(ctx, someEntries(20)); err != nil {
		return err
	}
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := fill(filler); err != nil {
		return err
	}

	// More names do not fit, and nothing comes of the try.
	if _, err := h.Set(ctx, someEntries(200)); !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("set on a full disk: %v", err)
	}
	if err := requireDisk(etc, string(before), "filler", "leases"); err != nil {
		return err
	}
	// Leases need no space, and hold.
	if _, err := leases.Assign("after"); err != nil {
		return err
	}
	other, err := loopback.OpenLeases(leaseFiles)
	if err != nil {
		return err
	}
	defer other.Close()
	if ok, err := other.Take(lease); ok || err != nil {
		return fmt.Errorf("lease of %s: %v, %v", lease, ok, err)
	}
	// Nor is there space for the way back: the names stay, whole.
	if _, err := h.Remove(ctx); !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("remove on a full disk: %v", err)
	}
	if err := requireDisk(etc, string(before), "filler", "leases"); err != nil {
		return err
	}
	// Space again, for whoever comes next.
	if err := os.Remove(filler); err != nil {
		return err
	}
	next, err := New(path)
	if err != nil {
		return err
	}
	next.state, next.alive = state, func(proc.ID) bool { return false }
	if stale, err := next.Stale(); !stale || err != nil {
		return fmt.Errorf("stale: %v, %v", stale, err)
	}
	if _, err := next.Clean(ctx); err != nil {
		return err
	}
	return requireDisk(etc, fullOriginal, "leases")
}

// mountSmall puts a file system of 64 KiB at dir, for this process alone.
func mountSmall(dir string) error {
	if err := privateMounts(); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		return fmt.Errorf("mount small disk: %w", err)
	}
	return nil
}

// fill makes a file that takes all the space there is.
func fill(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	for err == nil {
		_, err = file.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return file.Close()
}

// requireDisk checks the hosts file in dir and what else lies there, but for an
// empty state directory.
func requireDisk(dir, want string, beside ...string) error {
	content, err := os.ReadFile(filepath.Join(dir, "hosts"))
	if err != nil {
		return err
	}
	if string(content) != want {
		return fmt.Errorf("hosts file is %q, not %q", content, want)
	}
	names := map[string]bool{"hosts": true}
	for _, name := range beside {
		names[name] = true
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if inside, err := os.ReadDir(filepath.Join(dir, entry.Name())); err == nil && len(inside) == 0 {
			continue
		}
		if !names[entry.Name()] {
			return fmt.Errorf("%s lies beside the hosts file", entry.Name())
		}
	}
	return nil
}

func TestFullDisk(t *testing.T) {
	out, err := inNamespace("full", t.TempDir()).CombinedOutput()
	require.NoError(t, err, string(out))
}
