package command

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/run/view"
	"github.com/devtun/devtun/internal/proc"
)

// places are the two directories for private files, of this test alone.
func places(t *testing.T) (runtime, temporary string) {
	t.Helper()
	runtime, temporary = t.TempDir(), t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	t.Setenv("TMPDIR", temporary)
	return runtime, temporary
}

func TestPrivateHosts(t *testing.T) {
	runtime, temporary := places(t)
	p, err := NewPrivateHosts()
	require.NoError(t, err)
	other, err := NewPrivateHosts()
	require.NoError(t, err)
	require.NotEqual(t, p.Path(), other.Path())
	require.Equal(t, runtime, filepath.Dir(filepath.Dir(p.Path())))
	require.Equal(t, "hosts", filepath.Base(p.Path()))
	dir, err := os.Stat(filepath.Dir(p.Path()))
	require.NoError(t, err)
	require.Equal(t, os.ModeDir|0o700, dir.Mode())
	file, err := os.Stat(p.Path())
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o644), file.Mode())
	content, err := os.ReadFile(p.Path())
	require.NoError(t, err)
	system, err := os.ReadFile(view.SystemHosts)
	require.NoError(t, err)
	require.Equal(t, string(system), string(content))

	removed, err := CleanPrivate()
	require.NoError(t, err)
	require.Empty(t, removed, "the owner lives")
	require.NoError(t, p.Close())
	require.NoDirExists(t, filepath.Dir(p.Path()))
	require.NoError(t, other.Close())

	t.Setenv("XDG_RUNTIME_DIR", "relative")
	p, err = NewPrivateHosts()
	require.NoError(t, err)
	require.Equal(t, temporary, filepath.Dir(filepath.Dir(p.Path())))
	require.NoError(t, p.Close())
}

func TestCleanPrivate(t *testing.T) {
	runtime, temporary := places(t)
	living, err := proc.Self()
	require.NoError(t, err)
	dead := living
	dead.Start++
	name := func(dir string, owner proc.ID, n int) string {
		return filepath.Join(dir, fmt.Sprintf("%s%s,%d", privatePrefix, toName.Replace(owner.String()), n))
	}
	make := func(path string) string {
		require.NoError(t, os.Mkdir(path, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(path, "hosts"), nil, 0o644))
		return path
	}
	stale := []string{make(name(runtime, dead, 1)), make(name(temporary, dead, 2))}
	kept := []string{
		make(name(temporary, living, 3)),
		make(filepath.Join(temporary, privatePrefix+"odd")),
		make(filepath.Join(temporary, "other")),
	}
	link := name(temporary, dead, 4)
	require.NoError(t, os.Symlink(kept[2], link))
	file := name(temporary, dead, 5)
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	// A link within a stale one leads nowhere either.
	require.NoError(t, os.Symlink(kept[2], filepath.Join(stale[0], "link")))
	if os.Geteuid() == 0 {
		foreign := make(name(temporary, dead, 6))
		require.NoError(t, os.Chown(foreign, 65534, 65534))
		kept = append(kept, foreign)
	}

	removed, err := CleanPrivate()
	require.NoError(t, err)
	require.Equal(t, stale, removed)
	for _, path := range stale {
		require.NoDirExists(t, path)
	}
	for _, path := range kept {
		require.FileExists(t, filepath.Join(path, "hosts"))
	}
	_, err = os.Lstat(link)
	require.NoError(t, err)
	require.FileExists(t, file)
}
