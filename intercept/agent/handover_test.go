package agent

import (
	"archive/tar"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/wire"
)

func TestEnvironmentIsHandedOverByteForByte(t *testing.T) {
	environ := []string{"A=1", "LINES=one\ntwo\r\n", "BYTES=\xff\xfe\x80=", "EMPTY=", "DEVTUN_AGENT_CONFIG={}"}
	w := newWorld(t, greet("origin"), func(a *Agent) { a.Environ = environ })
	l := w.connect(to(serve(t, greet("local"))))
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	got, err := l.link.Environment(ctx)
	require.NoError(t, err)
	require.Equal(t, environ[:4], got)
}

// volume is a mounted ConfigMap or Secret, as the kubelet makes it.
type volume struct {
	t    *testing.T
	path string
}

// put exchanges the content as a whole.
func (v volume) put(name string, content map[string]string) {
	v.t.Helper()
	require.NoError(v.t, os.Mkdir(filepath.Join(v.path, name), 0o755))
	for key, value := range content {
		require.NoError(v.t, os.WriteFile(filepath.Join(v.path, name, key), []byte(value), 0o640))
		os.Symlink(filepath.Join("..data", key), filepath.Join(v.path, key))
	}
	require.NoError(v.t, os.Symlink(name, filepath.Join(v.path, "..data_tmp")))
	require.NoError(v.t, os.Rename(filepath.Join(v.path, "..data_tmp"), filepath.Join(v.path, "..data")))
}

func TestFilesOfAMountWithinAnotherComeOnce(t *testing.T) {
	t.Parallel()
	outer := volume{t, filepath.Join(t.TempDir(), "app")}
	inner := volume{t, filepath.Join(outer.path, "tls")}
	beside := volume{t, outer.path + "s"}
	for _, v := range []volume{outer, inner, beside} {
		require.NoError(t, os.Mkdir(v.path, 0o755))
		v.put("..1", map[string]string{"key": "of " + v.path})
	}
	var names []string
	paths := []string{inner.path, outer.path, beside.path + "/"}
	require.NoError(t, walkFiles(paths, func(name string, _ fs.FileInfo) error {
		names = append(names, name)
		return nil
	}))
	require.ElementsMatch(t, []string{outer.path + "/key", inner.path + "/key", beside.path + "/key"}, names)
}

func TestFilesAreHandedOverAndFollowed(t *testing.T) {
	t.Parallel()
	v := volume{t, t.TempDir()}
	v.put("..1", map[string]string{"tls.key": "secret\n", "empty": ""})
	single := filepath.Join(t.TempDir(), "sub.conf")
	require.NoError(t, os.WriteFile(single, []byte("by subPath"), 0o600))
	w := newWorld(t, greet("origin"), func(a *Agent) {
		a.Config.Files = []string{v.path, single, filepath.Join(v.path, "missing")}
	})
	l := w.connect(to(serve(t, greet("local"))))
	ctx, cancel := context.WithTimeout(t.Context(), 2*soon)
	defer cancel()

	sum, got := readFiles(t, ctx, l.link, "")
	at := func(name string) string { return v.path[1:] + "/" + name }
	require.Equal(t, map[string]string{at("tls.key"): "secret\n", at("empty"): "", single[1:]: "by subPath"}, got)

	again, cancelAgain := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancelAgain()
	err := l.link.ReadFiles(again, sum, func(wire.Files, *tar.Reader) error { return nil })
	require.Error(t, err, "nothing has changed")
	require.Error(t, again.Err())

	v.put("..2", map[string]string{"tls.key": "renewed\n"})
	next, got := readFiles(t, ctx, l.link, sum)
	require.NotEqual(t, sum, next)
	require.Equal(t, map[string]string{at("tls.key"): "renewed\n", single[1:]: "by subPath"}, got)
}

func readFiles(t *testing.T, ctx context.Context, link *wire.Link, unlike string) (string, map[string]string) {
	t.Helper()
	var sum string
	got := make(map[string]string)
	require.NoError(t, link.ReadFiles(ctx, unlike, func(files wire.Files, archive *tar.Reader) error {
		sum = files.Sum
		require.Zero(t, files.Unreadable)
		for {
			header, err := archive.Next()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			content, err := io.ReadAll(archive)
			if err != nil {
				return err
			}
			got[header.Name] = string(content)
		}
	}))
	return sum, got
}
