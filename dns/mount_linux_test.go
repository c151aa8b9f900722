package dns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// mountRole mounts a file over the hosts file, as containers have it, writes
// names to it while another writer appends, and takes them out again.
func mountRole(args []string) error {
	source, path := args[0], args[1]
	if err := privateMounts(); err != nil {
		return err
	}
	if err := unix.Mount(source, path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount hosts file: %w", err)
	}
	h, err := NewHosts(path)
	if err != nil {
		return err
	}
	h.state = args[2]
	ctx := context.Background()
	appended := make(chan error)
	const lines = 200
	go func() {
		for i := range lines {
			if err := appendFile(path, fmt.Sprintf("10.0.0.1 db-%d\n", i)); err != nil {
				appended <- err
				return
			}
			time.Sleep(time.Millisecond) // a writer's pace, not a wait for anything
		}
		appended <- nil
	}()
	for i := range 50 {
		if _, err := h.Set(ctx, someEntries(1+i%7)); err != nil {
			return err
		}
	}
	if err := <-appended; err != nil {
		return err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	ours, foreign := split(content)
	if len(ours) != linesOf(1) || bytes.Count(foreign, []byte("\n")) != 1+lines {
		return fmt.Errorf("%d lines of ours, %d others", len(ours), bytes.Count(foreign, []byte("\n")))
	}
	if _, err := h.Remove(ctx); err != nil {
		return err
	}
	content, err = os.ReadFile(path)
	if err == nil && !bytes.Equal(content, foreign) {
		err = errors.New("not as it was")
	}
	return err
}

// inNamespace is a role with mounts of its own.
func inNamespace(role string, args ...string) *exec.Cmd {
	child := exec.Command("/proc/self/exe", args...)
	child.Env = append(os.Environ(), roleVariable+"="+role)
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		child.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		child.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		child.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	return child
}

// privateMounts keeps what this process mounts from the rest of the machine.
func privateMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	return nil
}

func TestMountedFile(t *testing.T) {
	dir := t.TempDir()
	source, path := filepath.Join(dir, "source"), filepath.Join(dir, "etc", "hosts")
	require.NoError(t, os.Mkdir(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(source, []byte("127.0.0.1 localhost\n"), 0o644))
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	before, err := os.Stat(source)
	require.NoError(t, err)

	child := inNamespace("mount", source, path, filepath.Join(dir, "state"))
	out, err := child.CombinedOutput()
	require.NoError(t, err, string(out))
	after, err := os.Stat(source)
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after), "written in place")
	requireNothingBeside(t, path)
}
