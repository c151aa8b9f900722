package image

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"
)

// program needs nothing: it is compiled, linked and packed in a moment.
const program = "./testdata/tiny"

func load(t *testing.T, file, ref string) v1.Image {
	tag, err := name.NewTag(ref)
	require.NoError(t, err)
	img, err := tarball.ImageFromPath(file, &tag)
	require.NoError(t, err)
	return img
}

func digest(t *testing.T, img v1.Image) string {
	d, err := img.Digest()
	require.NoError(t, err)
	return d.String()
}

func TestSaveLoadsBack(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out.tar")
	one, two := "devtun.test/one:dev", "devtun.test/group/two:v1"
	require.NoError(t, Save(t.Context(), file, Spec{Name: one, Package: program}, Spec{Name: two, Package: program}))

	for ref, entrypoint := range map[string]string{one: "/one", two: "/two"} {
		img := load(t, file, ref)
		config, err := img.ConfigFile()
		require.NoError(t, err)
		require.Equal(t, []string{entrypoint}, config.Config.Entrypoint)
		require.Equal(t, "65532:65532", config.Config.User)
		require.Equal(t, "linux", config.OS)
		require.True(t, config.Created.IsZero())

		content := onlyFile(t, img, entrypoint[1:])
		binary, err := elf.NewFile(bytes.NewReader(content))
		require.NoError(t, err)
		libraries, err := binary.ImportedLibraries()
		require.NoError(t, err)
		require.Empty(t, libraries)
		for _, segment := range binary.Progs {
			require.NotEqual(t, elf.PT_INTERP, segment.Type, "not static")
		}
	}
}

// onlyFile returns the content of the image's one file.
func onlyFile(t *testing.T, img v1.Image, path string) []byte {
	layers, err := img.Layers()
	require.NoError(t, err)
	require.Len(t, layers, 1)
	layer, err := layers[0].Uncompressed()
	require.NoError(t, err)
	defer layer.Close()

	files := tar.NewReader(layer)
	header, err := files.Next()
	require.NoError(t, err)
	require.Equal(t, path, header.Name)
	require.EqualValues(t, 0o755, header.Mode)
	require.True(t, header.ModTime.Equal(time.Unix(0, 0)))
	content, err := io.ReadAll(files)
	require.NoError(t, err)
	_, err = files.Next()
	require.ErrorIs(t, err, io.EOF)
	return content
}

func TestSameSourceSameDigest(t *testing.T) {
	dir := t.TempDir()
	ref := "devtun.test/one:dev"
	var digests []string
	for _, file := range []string{"a.tar", "b.tar"} {
		file = filepath.Join(dir, file)
		require.NoError(t, Save(t.Context(), file, Spec{Name: ref, Package: program}))
		digests = append(digests, digest(t, load(t, file, ref)))
	}
	require.Equal(t, digests[0], digests[1])
}

func TestSaveFails(t *testing.T) {
	for name, test := range map[string]struct {
		specs []Spec
		want  string
	}{
		"nothing":  {nil, "none given"},
		"no tag":   {[]Spec{{Name: "devtun.test/one", Package: program}}, "parse image name"},
		"bad name": {[]Spec{{Name: "Devtun Test:dev", Package: program}}, "parse image name"},
		"twice": {[]Spec{{Name: "devtun.test/one:dev", Package: program},
			{Name: "devtun.test/one:dev", Package: program}}, "given twice"},
		"no package":    {[]Spec{{Name: "devtun.test/one:dev", Package: "./nowhere"}}, "compile ./nowhere"},
		"not a program": {[]Spec{{Name: "devtun.test/one:dev", Package: "errors"}}, "no main packages"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			err := Save(t.Context(), filepath.Join(dir, "out.tar"), test.specs...)
			require.ErrorContains(t, err, test.want)
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, entries, "nothing is left behind")
		})
	}
}
