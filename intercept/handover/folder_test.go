package handover

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// archiveOf is what an agent sends.
func archiveOf(t testing.TB, files map[string]string) *tar.Reader {
	t.Helper()
	var headers []*tar.Header
	for _, name := range slices.Sorted(maps.Keys(files)) {
		headers = append(headers, &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(files[name]))})
	}
	return archiveWith(t, headers, func(h *tar.Header) string { return files[h.Name] })
}

func archiveWith(t testing.TB, headers []*tar.Header, content func(*tar.Header) string) *tar.Reader {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, header := range headers {
		require.NoError(t, w.WriteHeader(header))
		if header.Size > 0 {
			_, err := io.WriteString(w, content(header))
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	return tar.NewReader(&out)
}

// bring has the folder take files.
func bring(t testing.TB, f *folder, files map[string]string) (moved []string) {
	t.Helper()
	received, err := f.receive(newStream(archiveOf(t, files)))
	require.NoError(t, err)
	moved, err = f.swapIn(received)
	require.NoError(t, err)
	return moved
}

// requireTree says that dir holds exactly these files, for this user alone.
func requireTree(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	got := make(map[string]string)
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		if entry.IsDir() {
			requireMode(t, path, fs.ModeDir|0o700)
			return nil
		}
		requireMode(t, path, 0o600)
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		within, err := filepath.Rel(dir, path)
		require.NoError(t, err)
		got[filepath.ToSlash(within)] = string(content)
		return nil
	}))
	require.Equal(t, want, got)
}

var someMounts = mountsWithin([]string{"/etc/config", "/etc/secret", "/etc/app.conf", "/etc/config/nested"})

func TestFilesComeChangeAndGo(t *testing.T) {
	t.Parallel()
	state, work := t.TempDir(), t.TempDir()
	path := filepath.Join(work, "files")
	l := ledger(state, "me")
	f, err := openFolder(l, path, someMounts)
	require.NoError(t, err)
	requireTree(t, path, map[string]string{})
	for _, files := range []map[string]string{
		{"etc/config/a": "1", "etc/config/nested/b": "", "etc/secret/key": "\xff\n", "etc/app.conf": "x", "other/c": "2"},
		{"etc/config/a": "2", "etc/config/nested/b": "", "etc/secret/key": "\xff\n", "etc/app.conf": "y", "other/c": "2"},
		{"etc/config/a": "2", "etc/config/d": "new"},
		{},
		{"etc/config": "a file now"},
		{"etc/config/a": "and back"},
	} {
		require.Empty(t, bring(t, f, files))
		requireTree(t, path, files)
	}
	require.NoError(t, f.remove())
	requireEmpty(t, work)
	requireEmpty(t, l.Dir)
}

func TestOnlyWhatChangedIsExchanged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "files")
	f, err := openFolder(ledger(t.TempDir(), "me"), path, someMounts)
	require.NoError(t, err)
	bring(t, f, map[string]string{"etc/config/a": "1", "etc/secret/key": "k"})
	before, err := os.Stat(filepath.Join(path, "etc/secret/key"))
	require.NoError(t, err)
	bring(t, f, map[string]string{"etc/config/a": "2", "etc/secret/key": "k"})
	after, err := os.Stat(filepath.Join(path, "etc/secret/key"))
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after))
}

// The slow way is that of systems that cannot exchange.
func TestFilesChangeWithoutExchange(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "files")
	f, err := openFolder(ledger(t.TempDir(), "me"), path, someMounts)
	require.NoError(t, err)
	f.exchange = func(string, string) error { return errors.ErrUnsupported }
	for _, files := range []map[string]string{
		{"etc/config/a": "1", "etc/app.conf": "x"},
		{"etc/config/a": "2", "etc/app.conf": "y"},
		{"etc/app.conf": "z"},
	} {
		require.Empty(t, bring(t, f, files))
		requireTree(t, path, files)
	}
}

func TestFolderWithForeignFilesIsRefused(t *testing.T) {
	work := t.TempDir()
	put(t, filepath.Join(work, "files", "src", "main.go"), "package main\n")
	_, err := openFolder(ledger(t.TempDir(), "me"), filepath.Join(work, "files"), nil)
	var foreign *ForeignError
	require.ErrorAs(t, err, &foreign)
	require.Equal(t, filepath.Join("src", "main.go"), foreign.File)
	requireContent(t, filepath.Join(work, "files", "src", "main.go"), "package main\n")

	put(t, filepath.Join(work, "file"), "")
	_, err = openFolder(ledger(t.TempDir(), "me"), filepath.Join(work, "file"), nil)
	require.ErrorAs(t, err, &foreign)
}

func TestEmptyFolderGetsItsModeBack(t *testing.T) {
	path := t.TempDir()
	require.NoError(t, os.Chmod(path, 0o755))
	state := t.TempDir()
	killed, err := openFolder(ledger(state, "killed"), path, nil)
	require.NoError(t, err)
	requireMode(t, path, fs.ModeDir|0o700)
	bring(t, killed, map[string]string{"etc/a": "1"})

	f, err := openFolder(ledger(state, "next"), path, nil)
	require.NoError(t, err)
	requireTree(t, path, map[string]string{})
	require.NoError(t, f.remove())
	requireEmpty(t, path)
	requireMode(t, path, fs.ModeDir|0o755)
}

func TestFilesOfSomebodyElseAreLeft(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "files")
	f, err := openFolder(ledger(t.TempDir(), "me"), path, someMounts)
	require.NoError(t, err)
	bring(t, f, map[string]string{"etc/config/a": "1", "etc/config/b": "1"})
	put(t, filepath.Join(path, "etc/config/mine"), "new")
	put(t, filepath.Join(path, "etc/config/b"), "edited")
	require.Equal(t, []string{"etc/config/b.saved1"},
		bring(t, f, map[string]string{"etc/config/a": "2", "etc/config/b": "2"}))
	requireContent(t, filepath.Join(path, "etc/config/mine"), "new")
	requireContent(t, filepath.Join(path, "etc/config/b"), "2")
	requireContent(t, filepath.Join(path, "etc/config/b.saved1"), "edited")

	var foreign *ForeignError
	require.ErrorAs(t, f.remove(), &foreign)
	require.NoFileExists(t, filepath.Join(path, "etc/config/a"))
	requireContent(t, filepath.Join(path, "etc/config/mine"), "new")
	requireContent(t, filepath.Join(path, "etc/config/b.saved1"), "edited")
}

// Whatever a killed session has left of a change, the next one finds only files
// that are known, and nothing of it stays.
func TestNextSessionCleansAnyStepOfAChange(t *testing.T) {
	t.Parallel()
	before := map[string]string{"etc/config/a": "1", "etc/secret/key": "k"}
	after := map[string]string{"etc/config/a": "2", "etc/app.conf": "x"}
	steps := map[string]func(*testing.T, *folder){
		"half received": func(t *testing.T, f *folder) {
			put(t, filepath.Join(f.record.Path, arriving, "etc/config/a"), "hal")
		},
		"received": func(t *testing.T, f *folder) {
			_, err := f.receive(newStream(archiveOf(t, after)))
			require.NoError(t, err)
		},
		"before the first unit": func(t *testing.T, f *folder) { f.swapUnitsIn(t, after, "etc/app.conf") },
		"before the second":     func(t *testing.T, f *folder) { f.swapUnitsIn(t, after, "etc/config") },
	}
	for name, kill := range steps {
		for _, clean := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				state, work := t.TempDir(), t.TempDir()
				path := filepath.Join(work, "files")
				f, err := openFolder(ledger(state, "killed"), path, someMounts)
				require.NoError(t, err)
				bring(t, f, before)
				kill(t, f)
				if clean {
					removed, err := ledger(state, "cleaner").Clean()
					require.NoError(t, err)
					require.Equal(t, []string{path}, removed)
				} else {
					next, err := openFolder(ledger(state, "next"), path, someMounts)
					require.NoError(t, err)
					requireTree(t, path, map[string]string{})
					bring(t, next, after)
					requireTree(t, path, after)
					require.NoError(t, next.remove())
				}
				requireEmpty(t, work)
			})
		}
	}
}

// swapUnitsIn does what swapIn does, and stops before unit.
func (f *folder) swapUnitsIn(t *testing.T, files map[string]string, unit string) {
	received, err := f.receive(newStream(archiveOf(t, files)))
	require.NoError(t, err)
	require.NoError(t, f.announce(received))
	root, err := os.OpenRoot(f.record.Path)
	require.NoError(t, err)
	defer root.Close()
	require.NoError(t, root.Rename(arriving, complete))
	for _, u := range []string{"etc/app.conf", "etc/config", "etc/secret"} {
		if u == unit {
			return
		}
		require.NoError(t, f.swap(root, u, u != "etc/secret"))
	}
}

func TestReadersOfAVolumeFindOldOrNew(t *testing.T) { readWhileAVolumeChanges(t, 10) }

// readWhileAVolumeChanges changes it so many times.
func readWhileAVolumeChanges(t *testing.T, times int) {
	path := filepath.Join(t.TempDir(), "files")
	f, err := openFolder(ledger(t.TempDir(), "me"), path, someMounts)
	require.NoError(t, err)
	version := func(v string) map[string]string {
		return map[string]string{"etc/config/a": strings.Repeat(v, 100), "etc/config/b": v, "etc/app.conf": v}
	}
	bring(t, f, version("1"))
	done := make(chan struct{})
	var reading sync.WaitGroup
	for _, name := range []string{"etc/config/a", "etc/config/b", "etc/app.conf"} {
		reading.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				got, err := os.ReadFile(filepath.Join(path, name))
				if err != nil || len(got) == 0 || strings.Trim(string(got), string(got[:1])) != "" {
					t.Errorf("%s: %q, %v", name, got, err)
					return
				}
			}
		})
	}
	reading.Go(func() { // a folder that is held open is one version, as a whole
		for {
			select {
			case <-done:
				return
			default:
			}
			volume, err := os.OpenRoot(filepath.Join(path, "etc/config"))
			if err != nil {
				t.Error(err)
				return
			}
			a, aerr := volume.ReadFile("a")
			b, berr := volume.ReadFile("b")
			volume.Close()
			if aerr == nil && berr == nil && a[0] != b[0] {
				t.Errorf("a is of version %c, b of %c", a[0], b[0])
				return
			}
		}
	})
	for i := range times {
		bring(t, f, version([]string{"1", "2"}[i%2]))
	}
	close(done)
	reading.Wait()
}

func TestHostileArchives(t *testing.T) {
	t.Parallel()
	regular := func(name string) *tar.Header { return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 1} }
	for name, headers := range map[string][]*tar.Header{
		"up":           {regular("../outside")},
		"up within":    {regular("etc/../../outside")},
		"absolute":     {regular("/outside")},
		"empty":        {regular("etc//a")},
		"dot":          {regular("./a")},
		"ours":         {regular(".devtun-next/a")},
		"twice":        {regular("a"), regular("a")},
		"file and dir": {regular("a"), regular("a/b")},
		"symlink":      {{Typeflag: tar.TypeSymlink, Name: "etc", Linkname: "/"}, regular("etc/outside")},
		"hard link":    {{Typeflag: tar.TypeLink, Name: "a", Linkname: "/etc/hostname"}},
		"device":       {{Typeflag: tar.TypeChar, Name: "a", Devmajor: 1, Devminor: 3}},
		"pipe":         {{Typeflag: tar.TypeFifo, Name: "a"}},
		"directory":    {{Typeflag: tar.TypeDir, Name: "a/"}},
		"too much": {
			{Typeflag: tar.TypeReg, Name: "a", Size: maxBytes},
			{Typeflag: tar.TypeReg, Name: "b", Size: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			work := t.TempDir()
			path := filepath.Join(work, "files")
			f, err := openFolder(ledger(t.TempDir(), "me"), path, nil)
			require.NoError(t, err)
			bring(t, f, map[string]string{"etc/a": "1"})
			_, err = f.receive(newStream(archiveWith(t, headers,
				func(h *tar.Header) string { return strings.Repeat("x", int(h.Size)) })))
			var local *localError
			require.ErrorAs(t, err, &local)
			requireContent(t, filepath.Join(path, "etc/a"), "1")
			require.NoError(t, f.remove())
			requireEmpty(t, work)
		})
	}
}

func TestTruncatedArchiveIsTheSessionsFault(t *testing.T) {
	f, err := openFolder(ledger(t.TempDir(), "me"), filepath.Join(t.TempDir(), "files"), nil)
	require.NoError(t, err)
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "a", Size: 1000}))
	w.Write([]byte("half"))
	_, err = f.receive(newStream(tar.NewReader(&out)))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	var local *localError
	require.NotErrorAs(t, err, &local)
}
