package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is the numeric id of "nonroot" in distroless images; a number, so that
// the kubelet can tell that it is not root.
const user = "65532:65532"

// Layer is what an image holds for one platform, packed by Pack.
type Layer struct {
	Platform v1.Platform
	Packed   []byte
}

// New makes an image of a program in the root directory, one layer a platform.
func New(program string, labels map[string]string, layers ...Layer) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, layer := range layers {
		image, err := single(program, labels, layer)
		if err != nil {
			return nil, fmt.Errorf("build image of %s for %s: %w", program, layer.Platform, err)
		}
		platform := layer.Platform
		index = mutate.AppendManifests(index,
			mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &platform}})
	}
	return index, nil
}

// single is an image for one platform.
func single(program string, labels map[string]string, of Layer) (v1.Image, error) {
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(of.Packed)), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	base, err = mutate.ConfigFile(base, &v1.ConfigFile{
		OS:           of.Platform.OS,
		Architecture: of.Platform.Architecture,
		Config:       v1.Config{Entrypoint: []string{"/" + program}, User: user, WorkingDir: "/", Labels: labels},
		RootFS:       v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	return mutate.AppendLayers(base, layer)
}

// Pack makes a layer of one executable file in the root directory: root's, and
// without a date.
func Pack(program string, content []byte) ([]byte, error) {
	var packed bytes.Buffer
	compressed, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("pack %s: %w", program, err)
	}
	files := tar.NewWriter(compressed)
	err = files.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: program, Mode: 0o755, Size: int64(len(content))})
	if err == nil {
		_, err = files.Write(content)
	}
	if err := errors.Join(err, files.Close(), compressed.Close()); err != nil {
		return nil, fmt.Errorf("pack %s: %w", program, err)
	}
	return packed.Bytes(), nil
}
