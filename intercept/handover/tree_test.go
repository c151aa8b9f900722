package handover

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// mounted is a container's mounts: two volumes, one in the other, one that is empty, and
// a single file.
type mounted struct {
	outer, inner, empty volume
	single              string
}

func newMounted(t *testing.T) mounted {
	t.Helper()
	dir := t.TempDir()
	m := mounted{
		outer: volume{t, filepath.Join(dir, "app")}, inner: volume{t, filepath.Join(dir, "app", "tls")},
		empty: volume{t, filepath.Join(dir, "optional")}, single: filepath.Join(dir, "one.conf"),
	}
	require.NoError(t, errors.Join(os.MkdirAll(m.inner.path, 0o755), os.Mkdir(m.empty.path, 0o755)))
	m.outer.put("..1", map[string]string{"config": "first", "script": "#!", "gone": "soon"})
	require.NoError(t, os.Chmod(filepath.Join(m.outer.path, "..1", "script"), 0o755))
	m.inner.put("..1", map[string]string{"key": "secret"})
	require.NoError(t, os.Chmod(filepath.Join(m.inner.path, "..1", "key"), 0o400))
	require.NoError(t, os.WriteFile(m.single, []byte("single"), 0o644))
	return m
}

func (m mounted) paths() []string {
	return []string{m.outer.path, m.inner.path, m.empty.path, m.single}
}

func TestTheTreeIsAsInAPod(t *testing.T) {
	t.Parallel()
	for _, folder := range []bool{false, true} {
		m := newMounted(t)
		config := Config{Ledger: ledger(t.TempDir(), "me")}
		if folder {
			config.Folder = filepath.Join(t.TempDir(), "files")
		}
		h, err := Open(config)
		require.NoError(t, err)
		dir := t.TempDir()
		h.Show(dir, m.paths())
		h.Include([]string{"JAVA_HOME"})
		f := followed(t, h)
		link, _ := newPod(t, []string{"JAVA_HOME=/there", "LANG=C"}, m.paths()).connect(t)
		f.links <- link
		f.awaitReady(t)
		require.Equal(t, []string{"JAVA_HOME=/there"}, h.Command(nil))

		at := func(path ...string) string { return filepath.Join(append([]string{dir}, path...)...) }
		requireContent(t, at(m.outer.path, "config"), "first")
		requireContent(t, at(m.inner.path, "key"), "secret")
		requireContent(t, at(m.single), "single")
		require.DirExists(t, at(m.empty.path))
		for path, mode := range map[string]fs.FileMode{
			at(m.outer.path): 0o755, at(m.outer.path, "config"): 0o644, at(m.outer.path, "script"): 0o755,
			at(m.inner.path, "key"): 0o400, at(m.single): 0o644,
		} {
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.Equal(t, mode, info.Mode().Perm(), path)
		}
		if folder {
			requireContent(t, filepath.Join(config.Folder, m.outer.path, "config"), "first")
			requireMode(t, filepath.Join(config.Folder, m.outer.path, "script"), 0o600)
		}

		before, err := os.Stat(at(m.outer.path))
		require.NoError(t, err)
		real, err := filepath.EvalSymlinks(at(m.outer.path, "config"))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(m.single, []byte("changed"), 0o644))
		require.NoError(t, os.Remove(filepath.Join(m.outer.path, "gone")))
		m.outer.put("..2", map[string]string{"config": "second", "added": "here"})
		eventually(t, holds(at(m.outer.path, "added"), "here"))
		requireContent(t, at(m.outer.path, "config"), "second")
		eventually(t, func() bool {
			_, err := os.Lstat(at(m.outer.path, "gone"))
			return errors.Is(err, fs.ErrNotExist)
		})
		after, err := os.Stat(at(m.outer.path))
		require.NoError(t, err)
		require.True(t, os.SameFile(before, after), "who has mounted it sees the change")
		moved, err := filepath.EvalSymlinks(at(m.outer.path, "config"))
		require.NoError(t, err)
		require.NotEqual(t, real, moved, "programs look whether the link has moved")
		requireContent(t, at(m.inner.path, "key"), "secret")
		requireContent(t, at(m.single), "single") // as in a pod
		m.empty.put("..1", map[string]string{"come": "later"})
		eventually(t, holds(at(m.empty.path, "come"), "later"))
		eventually(t, func() bool { return !exists(filepath.Dir(real)) })

		require.NoError(t, f.end())
		require.NoError(t, h.Close())
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
