package hostsfile

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/devtun/devtun/internal/proc"
)

// rebootRole lives through two boots of the machine, as far as the kernel's boot
// id tells: the names of the first are removed by a Clean, those of the next by
// a Set.
func rebootRole(args []string) error {
	dir := args[0]
	if err := privateMounts(); err != nil {
		return err
	}
	path := filepath.Join(dir, "hosts")
	for i, act := range []func(h *File) (Report, error){
		func(h *File) (Report, error) { return h.Clean(context.Background()) },
		func(h *File) (Report, error) { return h.Set(context.Background(), someEntries(1)) },
	} {
		before, err := bootWith(dir, fmt.Sprintf("%d-before", i))
		if err != nil {
			return err
		}
		if _, err := before.Set(context.Background(), someEntries(3)); err != nil {
			return err
		}
		after, err := bootWith(dir, fmt.Sprintf("%d-after", i))
		if err != nil {
			return err
		}
		if o := before.owner; o.PID != after.owner.PID || o.Start != after.owner.Start {
			return fmt.Errorf("%v and %v are two processes", o, after.owner)
		}
		report, err := act(after)
		if err != nil {
			return err
		}
		if !slices.Equal(report.Cleaned, []proc.ID{before.owner}) {
			return fmt.Errorf("cleaned %v", report.Cleaned)
		}
		if _, err := after.Remove(context.Background()); err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil || string(content) != crashForeign {
			return fmt.Errorf("hosts file is %q, %v", content, err)
		}
	}
	return nil
}

// bootWith makes id the kernel's boot id and begins a session.
func bootWith(dir, id string) (*File, error) {
	file := filepath.Join(dir, id)
	if err := os.WriteFile(file, []byte(id+"\n"), 0o644); err != nil {
		return nil, err
	}
	if err := unix.Mount(file, "/proc/sys/kernel/random/boot_id", "", unix.MS_BIND, ""); err != nil {
		return nil, fmt.Errorf("mount boot id: %w", err)
	}
	h, err := New(filepath.Join(dir, "hosts"))
	if err != nil {
		return nil, err
	}
	h.state = filepath.Join(dir, "state")
	if h.owner.Boot != id {
		return nil, fmt.Errorf("boot id is %q, not %q", h.owner.Boot, id)
	}
	return h, nil
}

func TestReboot(t *testing.T) {
	path := hostsFile(t, crashForeign)
	out, err := inNamespace("reboot", filepath.Dir(path)).CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, crashForeign, contentAt(t, path))
}
