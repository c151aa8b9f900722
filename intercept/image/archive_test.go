package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/require"
)

// unpack reads an archive, in which nothing may stand twice, into a directory.
func unpack(t *testing.T, archive []byte) string {
	t.Helper()
	dir := t.TempDir()
	files := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := files.Next()
		if err == io.EOF {
			return dir
		}
		require.NoError(t, err)
		path := filepath.Join(dir, filepath.FromSlash(header.Name))
		if header.Typeflag == tar.TypeDir {
			require.NoError(t, os.Mkdir(path, 0o755))
			continue
		}
		require.NoFileExists(t, path)
		content, err := io.ReadAll(files)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, content, 0o600))
	}
}

func TestAnArchiveIsAnOCILayout(t *testing.T) {
	one, two := small(t, "one"), small(t, "two")
	var archive bytes.Buffer
	require.NoError(t, Write(&archive, Named{"devtun.test/one:dev", one}, Named{"devtun.test/group/two:v1", two},
		Named{"devtun.test/one:again", one}))

	all, err := layout.ImageIndexFromPath(unpack(t, archive.Bytes()))
	require.NoError(t, err)
	require.NoError(t, validate.Index(all))
	manifest, err := all.IndexManifest()
	require.NoError(t, err)
	require.Len(t, manifest.Manifests, 3)
	for i, want := range []struct {
		name, ref string
		index     v1.ImageIndex
	}{{"devtun.test/one:dev", "dev", one}, {"devtun.test/group/two:v1", "v1", two},
		{"devtun.test/one:again", "again", one}} {
		descriptor := manifest.Manifests[i]
		require.Equal(t, want.name, descriptor.Annotations["io.containerd.image.name"])
		require.Equal(t, want.ref, descriptor.Annotations["org.opencontainers.image.ref.name"])
		require.Equal(t, digest(t, want.index), descriptor.Digest.String())
	}
}

func TestAnArchiveIsDockers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out.tar")
	index := small(t, "one")
	require.NoError(t, Save(file, Named{"devtun.test/one:dev", index}))
	one := tag(t, "devtun.test/one:dev")
	image, err := tarball.ImageFromPath(file, &one)
	require.NoError(t, err)
	config, err := image.ConfigFile()
	require.NoError(t, err)
	if runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64" {
		require.Equal(t, runtime.GOARCH, config.Architecture, "this machine's")
	}
	header, content := onlyFile(t, image)
	require.Equal(t, "thing", header.Name)
	require.Equal(t, "one", string(content))
}

func TestAnArchiveForOtherMachinesIsDockersToo(t *testing.T) {
	packed, err := Pack("thing", nil)
	require.NoError(t, err)
	index, err := New("thing", nil, Layer{Platform: v1.Platform{OS: "linux", Architecture: "s390x"}, Packed: packed})
	require.NoError(t, err)
	var archive bytes.Buffer
	require.NoError(t, Write(&archive, Named{"devtun.test/one:dev", index}))
	text, err := os.ReadFile(filepath.Join(unpack(t, archive.Bytes()), "manifest.json"))
	require.NoError(t, err)
	var entries []dockerEntry
	require.NoError(t, json.Unmarshal(text, &entries))
	require.Len(t, entries, 1)
	require.Len(t, entries[0].Layers, 1)
}

func TestSameImagesSameArchive(t *testing.T) {
	var archives [2]bytes.Buffer
	for i := range archives {
		require.NoError(t, Write(&archives[i], Named{"devtun.test/one:dev", small(t, "one")}))
	}
	require.Equal(t, archives[0].Bytes(), archives[1].Bytes())
}

func TestAnArchiveNeedsWholeNames(t *testing.T) {
	for _, name := range []string{"one:dev", "devtun.test/one", "Devtun Test/one:dev"} {
		require.ErrorContains(t, Write(io.Discard, Named{name, small(t, "one")}), "write archive: ", name)
	}
}
