package hostsfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// mountRole mounts a file over the hosts file, as containers have it, writes
// names to it while another writer appends, and takes them out again. It has as
// many rounds as its last argument says.
func mountRole(args []string) error {
	source, path := args[0], args[1]
	if err := privateMounts(); err != nil {
		return err
	}
	if err := unix.Mount(source, path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount hosts file: %w", err)
	}
	h, err := New(path)
	if err != nil {
		return err
	}
	h.state = args[2]
	rounds, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	ctx := context.Background()
	const linesARound = 4
	for i := range rounds {
		appended := make(chan error)
		go func() {
			var errs []error
			for j := range linesARound {
				errs = append(errs, appendFile(path, fmt.Sprintf("10.0.0.1 db-%d-%d\n", i, j)))
			}
			appended <- errors.Join(errs...)
		}()
		_, err := h.Set(ctx, someEntries(1+i%7))
		if err := errors.Join(err, <-appended); err != nil {
			return err
		}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	ours, foreign := split(content)
	if len(ours) != linesOf(1+(rounds-1)%7) || bytes.Count(foreign, []byte("\n")) != 1+rounds*linesARound {
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

func TestMountedFile(t *testing.T) { requireMountedFile(t, 15) }

func requireMountedFile(t *testing.T, rounds int) {
	t.Helper()
	dir := t.TempDir()
	source, path := filepath.Join(dir, "source"), filepath.Join(dir, "etc", "hosts")
	require.NoError(t, os.Mkdir(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(source, []byte("127.0.0.1 localhost\n"), 0o644))
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	before, err := os.Stat(source)
	require.NoError(t, err)

	child := inNamespace("mount", source, path, filepath.Join(dir, "state"), strconv.Itoa(rounds))
	out, err := child.CombinedOutput()
	require.NoError(t, err, string(out))
	after, err := os.Stat(source)
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after), "written in place")
	requireNothingBeside(t, path)
}
