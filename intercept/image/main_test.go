package image

import (
	"archive/tar"
	"io"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// small is an image of something that is no program, for all platforms.
func small(t *testing.T, content string) v1.ImageIndex {
	t.Helper()
	packed, err := Pack("thing", []byte(content))
	require.NoError(t, err)
	var layers []Layer
	for _, platform := range Platforms() {
		layers = append(layers, Layer{Platform: platform, Packed: packed})
	}
	index, err := New("thing", map[string]string{"label": "value"}, layers...)
	require.NoError(t, err)
	return index
}

// images lists the images of an index by platform.
func images(t *testing.T, index v1.ImageIndex) map[string]v1.Image {
	t.Helper()
	manifest, err := index.IndexManifest()
	require.NoError(t, err)
	found := make(map[string]v1.Image)
	for _, descriptor := range manifest.Manifests {
		found[descriptor.Platform.String()], err = index.Image(descriptor.Digest)
		require.NoError(t, err)
	}
	return found
}

// onlyFile returns an image's one file.
func onlyFile(t *testing.T, image v1.Image) (*tar.Header, []byte) {
	t.Helper()
	layers, err := image.Layers()
	require.NoError(t, err)
	require.Len(t, layers, 1)
	layer, err := layers[0].Uncompressed()
	require.NoError(t, err)
	defer layer.Close()
	files := tar.NewReader(layer)
	header, err := files.Next()
	require.NoError(t, err)
	content, err := io.ReadAll(files)
	require.NoError(t, err)
	_, err = files.Next()
	require.ErrorIs(t, err, io.EOF)
	return header, content
}

func digest(t *testing.T, of interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	digest, err := of.Digest()
	require.NoError(t, err)
	return digest.String()
}

func tag(t *testing.T, reference string) name.Tag {
	t.Helper()
	tag, err := name.NewTag(reference)
	require.NoError(t, err)
	return tag
}
