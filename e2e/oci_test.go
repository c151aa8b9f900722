package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/image"
)

// rootFiles are an image's, as they are to stand in it.
type rootFiles struct {
	t       *testing.T
	written *tar.Writer
}

// file has one stand at a path, from its root, without the first slash.
func (r *rootFiles) file(path, content string, mode fs.FileMode) {
	r.t.Helper()
	header := tar.Header{Typeflag: tar.TypeReg, Name: path, Mode: int64(mode), Size: int64(len(content))}
	require.NoError(r.t, r.written.WriteHeader(&header))
	_, err := io.WriteString(r.written, content)
	require.NoError(r.t, err)
}

// folder has one stand, of a user.
func (r *rootFiles) folder(path string, mode fs.FileMode, user int) {
	r.t.Helper()
	require.NoError(r.t, r.written.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: path + "/", Mode: int64(mode),
		Uid: user, Gid: user}))
}

// copied has a program of this machine stand where it is told, with all that it is linked to.
func (r *rootFiles) copied(from, to string) {
	r.t.Helper()
	all := map[string]string{to: from}
	out, err := run(r.t.Context(), time.Minute, "ldd", from)
	if err == nil { // else it is static
		for _, library := range regexp.MustCompile(`(?m)(/\S+) \(0x`).FindAllStringSubmatch(out, -1) {
			all[strings.TrimPrefix(library[1], "/")] = library[1]
		}
	}
	for to, from := range all {
		content, err := os.ReadFile(from)
		require.NoError(r.t, err)
		r.file(to, string(content), 0o755)
	}
}

// newImage is an image of one layer, of this machine's architecture, configured so.
func newImage(t *testing.T, config v1.Config, fill func(r *rootFiles)) v1.Image {
	t.Helper()
	var packed bytes.Buffer
	compressed, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	require.NoError(t, err)
	r := &rootFiles{t, tar.NewWriter(compressed)}
	fill(r)
	require.NoError(t, r.written.Close())
	require.NoError(t, compressed.Close())
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
	require.NoError(t, err)
	made := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	made, err = mutate.ConfigFile(made, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH, Config: config,
		RootFS: v1.RootFS{Type: "layers"}})
	require.NoError(t, err)
	made, err = mutate.AppendLayers(made, layer)
	require.NoError(t, err)
	return made
}

// loadImage puts an image into the local cluster, under a name that no registry has.
func loadImage(t *testing.T, name string, made v1.Image) (reference string) {
	t.Helper()
	reference = "devtun.test/" + name + ":dev"
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{
		Add: made, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: runtime.GOARCH}},
	})
	file := filepath.Join(t.TempDir(), "image.tar")
	require.NoError(t, image.Save(file, image.Named{Name: reference, Index: index}))
	require.NoError(t, localCluster(t).Load(t.Context(), file))
	return reference
}

// withTestserver has the tests' server in an image, and nothing else.
func withTestserver(r *rootFiles) { r.copied(bed.Program("testserver"), "testserver") }

// debianLike is an image as Debian's own are, and those made from them: with a shell, a
// user by name, a folder to work in that only root may enter, and a signal of its own
// to be stopped by.
func debianLike(t *testing.T) v1.Image {
	t.Helper()
	return newImage(t, v1.Config{
		User: "app", Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "GREETING=hello"}, WorkingDir: "/srv/private",
		Entrypoint: []string{"/entrypoint.sh"}, Volumes: map[string]struct{}{"/data": {}}, StopSignal: "SIGQUIT",
	}, func(r *rootFiles) {
		for _, path := range []string{"bin", "etc", "tmp", "srv", "usr", "usr/bin", "lib64"} {
			r.folder(path, 0o755, 0)
		}
		r.folder("srv/private", 0o700, 0)
		r.folder("data", 0o700, 1000)
		r.copied("/bin/dash", "bin/sh")
		withTestserver(r)
		r.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/data:/bin/sh\n", 0o644)
		r.file("etc/group", "root:x:0:\napp:x:1000:\n", 0o644)
		r.file("entrypoint.sh", "#!/bin/sh\nset -e\n[ \"$GREETING\" = hello ]\nexec /testserver \"$@\"\n", 0o755)
	})
}
