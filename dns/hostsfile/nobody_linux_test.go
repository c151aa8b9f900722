package hostsfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// asNobody runs a role as an unprivileged user, when the tests run as root.
func asNobody(role string, args ...string) *exec.Cmd {
	child := exec.Command("/proc/self/exe", args...)
	child.Env = append(os.Environ(), roleVariable+"="+role, "XDG_STATE_HOME="+os.TempDir())
	if os.Geteuid() == 0 {
		child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	return child
}

// nobodyRole tries to write a hosts file and reports what became of it.
func nobodyRole(args []string) error {
	h, err := New(args[0])
	if err != nil {
		return err
	}
	if len(args) > 1 {
		h.state = args[1]
	}
	fmt.Println(verdict(h.Writable()))
	_, err = h.Set(context.Background(), someEntries(1))
	fmt.Println(verdict(err))
	return nil
}

func verdict(err error) string {
	switch {
	case err == nil:
		return "fine"
	case errors.Is(err, fs.ErrPermission):
		return "denied"
	}
	return err.Error()
}

// openDir is a directory that everybody may enter.
func openDir(t *testing.T, mode os.FileMode) string {
	t.Helper()
	top, err := os.MkdirTemp("", "devtun-dns")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(top)) })
	require.NoError(t, os.Chmod(top, 0o755))
	dir := filepath.Join(top, "etc")
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, os.Chmod(dir, mode))
	return dir
}

func TestWithoutTheRight(t *testing.T) {
	for _, c := range []struct {
		about     string
		dir, file os.FileMode
		want      string
	}{
		{"neither", 0o555, 0o444, "denied\ndenied\n"},
		{"only the directory", 0o777, 0o444, "denied\ndenied\n"},
		{"only the file", 0o555, 0o666, "fine\nfine\n"},
		{"both, but another's", 0o777, 0o666, "fine\nfine\n"},
	} {
		t.Run(c.about, func(t *testing.T) {
			dir := openDir(t, c.dir)
			path := filepath.Join(dir, "hosts")
			require.NoError(t, os.Chmod(dir, 0o755))
			require.NoError(t, os.WriteFile(path, []byte("127.0.0.1 localhost\n"), 0o644))
			require.NoError(t, os.Chmod(path, c.file))
			require.NoError(t, os.Chmod(dir, c.dir))
			before, err := os.Stat(path)
			require.NoError(t, err)

			state := filepath.Join(openDir(t, 0o777), "state")
			out, err := asNobody("nobody", path, state).Output()
			require.NoError(t, err, string(out))
			require.Equal(t, c.want, string(out))

			after, err := os.Stat(path)
			require.NoError(t, err)
			require.Equal(t, before.Mode(), after.Mode())
			require.Equal(t, before.Sys().(*syscall.Stat_t).Uid, after.Sys().(*syscall.Stat_t).Uid)
			require.Equal(t, "127.0.0.1 localhost\n", foreignAt(t, path))
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, entries, 1)
		})
	}
}

func TestAttributesAreKept(t *testing.T) {
	path := hostsFile(t, "127.0.0.1 localhost\n")
	require.NoError(t, os.Chmod(path, 0o640))
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(path, 65534, 65533))
	}
	require.NoError(t, unix.Setxattr(path, "user.note", []byte("mine"), 0))
	before, err := os.Stat(path)
	require.NoError(t, err)

	_, err = newTestHosts(t, path).Set(t.Context(), someEntries(1))
	require.NoError(t, err)
	after, err := os.Stat(path)
	require.NoError(t, err)
	require.False(t, os.SameFile(before, after), "the file was replaced")
	require.Equal(t, before.Mode(), after.Mode())
	require.Equal(t, before.Sys().(*syscall.Stat_t).Uid, after.Sys().(*syscall.Stat_t).Uid)
	require.Equal(t, before.Sys().(*syscall.Stat_t).Gid, after.Sys().(*syscall.Stat_t).Gid)
	note := make([]byte, 10)
	n, err := unix.Getxattr(path, "user.note", note)
	require.NoError(t, err)
	require.Equal(t, "mine", string(note[:n]))
}
