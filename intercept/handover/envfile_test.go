package handover

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// ledger is that of a session; sessions of one test share a state directory.
func ledger(dir, owner string, alive ...string) Ledger {
	return Ledger{Dir: filepath.Join(dir, "state", "handover"), Owner: owner, Alive: func(o string) bool {
		for _, a := range alive {
			if a == o {
				return true
			}
		}
		return false
	}}
}

func requireContent(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

func requireMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Lstat(path)
	require.NoError(t, err)
	require.Equal(t, want, info.Mode(), path)
}

// requireEmpty says that nothing is left in dir.
func requireEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func put(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
}

func TestEnvFileComesAndGoes(t *testing.T) {
	dir, work := t.TempDir(), t.TempDir()
	path := filepath.Join(work, ".env")
	l := ledger(dir, "me")
	f, err := openFile(l, path)
	require.NoError(t, err)
	requireEmpty(t, work)
	require.NoError(t, f.write([]byte("A=1\n")))
	requireMode(t, path, 0o600)
	requireMode(t, l.Dir, fs.ModeDir|0o700)
	require.NoError(t, f.write([]byte("A=2\n")))
	requireContent(t, path, "A=2\n")
	require.NoError(t, f.remove())
	requireEmpty(t, work)
	requireEmpty(t, l.Dir)
}

func TestForeignEnvFileIsRefused(t *testing.T) {
	for name, place := range map[string]func(path string) error{
		"file":          func(path string) error { return os.WriteFile(path, []byte("MINE=1\n"), 0o644) },
		"link":          func(path string) error { return os.Symlink("elsewhere", path) },
		"dangling link": func(path string) error { return os.Symlink("/nonexistent/x", path) },
		"directory":     func(path string) error { return os.Mkdir(path, 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, work := t.TempDir(), t.TempDir()
			path := filepath.Join(work, ".env")
			require.NoError(t, place(path))
			before, err := os.Lstat(path)
			require.NoError(t, err)
			_, err = openFile(ledger(dir, "me"), path)
			var foreign *ForeignError
			require.ErrorAs(t, err, &foreign)
			after, err := os.Lstat(path)
			require.NoError(t, err)
			require.True(t, os.SameFile(before, after))
			require.Equal(t, before.ModTime(), after.ModTime())
		})
	}
	_, err := openFile(ledger(t.TempDir(), "me"), filepath.Join(t.TempDir(), "missing", ".env"))
	require.ErrorContains(t, err, "does not exist")
}

func TestEnvFileThatSomebodyHasChangedIsLeft(t *testing.T) {
	dir, work := t.TempDir(), t.TempDir()
	path := filepath.Join(work, ".env")
	f, err := openFile(ledger(dir, "me"), path)
	require.NoError(t, err)
	require.NoError(t, f.write([]byte("A=1\n")))
	put(t, path, "A=1\nMINE=1\n")
	var foreign *ForeignError
	require.ErrorAs(t, f.write([]byte("A=2\n")), &foreign)
	require.ErrorAs(t, f.remove(), &foreign)
	requireContent(t, path, "A=1\nMINE=1\n")
	_, err = openFile(ledger(dir, "next"), path)
	require.ErrorAs(t, err, &foreign)
}

func TestNextSessionReplacesWhatAKilledOneHasLeft(t *testing.T) {
	dir, work := t.TempDir(), t.TempDir()
	path := filepath.Join(work, ".env")
	f, err := openFile(ledger(dir, "killed"), path)
	require.NoError(t, err)
	require.NoError(t, f.write([]byte("A=1\n")))
	put(t, draftPath(path), "half a secr")

	_, err = openFile(ledger(dir, "next", "killed"), path)
	var busy *BusyError
	require.ErrorAs(t, err, &busy, "it still runs")
	require.Equal(t, "killed", busy.Owner)

	next, err := openFile(ledger(dir, "next"), path)
	require.NoError(t, err)
	require.NoError(t, next.write([]byte("A=2\n")))
	require.NoError(t, next.remove())
	requireEmpty(t, work)
}

// A crash may come before the rename or after it: the record knows both contents.
func TestRecordKnowsOldAndNew(t *testing.T) {
	dir, work := t.TempDir(), t.TempDir()
	path := filepath.Join(work, ".env")
	l := ledger(dir, "killed")
	f, err := openFile(l, path)
	require.NoError(t, err)
	require.NoError(t, f.write([]byte("A=1\n")))
	f.record.Sums[""] = append(f.record.Sums[""], sumOf([]byte("A=2\n")))
	require.NoError(t, l.save(f.record)) // and killed here
	for _, there := range []string{"A=1\n", "A=2\n"} {
		put(t, path, there)
		_, err = openFile(ledger(dir, "next"), path)
		require.NoError(t, err)
	}
}

func TestKeptEnvFileStaysAndMayBeReplaced(t *testing.T) {
	dir, work := t.TempDir(), t.TempDir()
	path := filepath.Join(work, ".env")
	f, err := openFile(ledger(dir, "first"), path)
	require.NoError(t, err)
	require.NoError(t, f.write([]byte("A=1\n")))
	require.NoError(t, f.keep())
	removed, err := ledger(dir, "cleaner").Clean()
	require.NoError(t, err)
	require.Empty(t, removed)
	requireContent(t, path, "A=1\n")
	next, err := openFile(ledger(dir, "next", "first"), path)
	require.NoError(t, err)
	require.NoError(t, next.write([]byte("A=2\n")))
	requireContent(t, path, "A=2\n")
}

func TestCleanRemovesWhatTheDeadHaveLeft(t *testing.T) {
	dir, work := t.TempDir(), t.TempDir()
	dead, alive, changed := filepath.Join(work, "dead"), filepath.Join(work, "alive"), filepath.Join(work, "changed")
	for path, owner := range map[string]string{dead: "dead", changed: "dead", alive: "alive"} {
		f, err := openFile(ledger(dir, owner), path)
		require.NoError(t, err)
		require.NoError(t, f.write([]byte("SECRET=1\n")))
	}
	put(t, changed, "MINE=1\n")
	removed, err := ledger(dir, "cleaner", "alive").Clean()
	var foreign *ForeignError
	require.ErrorAs(t, err, &foreign)
	require.Equal(t, changed, foreign.Path)
	require.Equal(t, []string{dead}, removed)
	require.NoFileExists(t, dead)
	require.FileExists(t, alive)
	requireContent(t, changed, "MINE=1\n")

	removed, err = ledger(dir, "cleaner", "alive").Clean()
	require.NoError(t, err, "it is told once")
	require.Empty(t, removed)
}

func TestReadersOfAnEnvFileFindOldOrNew(t *testing.T) { readWhileAnEnvFileChanges(t, 10) }

// readWhileAnEnvFileChanges changes it so many times.
func readWhileAnEnvFileChanges(t *testing.T, times int) {
	dir, work := t.TempDir(), t.TempDir()
	path := filepath.Join(work, ".env")
	f, err := openFile(ledger(dir, "me"), path)
	require.NoError(t, err)
	old, next := make([]byte, 1<<16), make([]byte, 1<<16)
	for i := range next {
		old[i], next[i] = 'o', 'n'
	}
	require.NoError(t, f.write(old))
	done := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			got, err := os.ReadFile(path)
			if err != nil || string(got) != string(old) && string(got) != string(next) {
				t.Errorf("found %d bytes: %v", len(got), err)
				return
			}
		}
	})
	for i := range times {
		require.NoError(t, f.write([][]byte{next, old}[i%2]))
	}
	close(done)
	reading.Wait()
}

// A ledger that cannot be written is told as such, and keeps from the file.
func TestALedgerThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "state"), nil, 0o600))
	env := filepath.Join(dir, ".env")
	_, err := Open(Config{Ledger: ledger(dir, "me"), Files: []File{{Path: env}}})
	var failed *LedgerError
	require.ErrorAs(t, err, &failed)
	require.NoFileExists(t, env)
}
