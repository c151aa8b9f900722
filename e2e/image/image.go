// Package image builds container images around static Go binaries, without
// Docker, for the examples and the end-to-end tests:
//
//	err := image.Save(ctx, "out.tar",
//		image.Spec{Name: "devtun.test/service-front:dev", Package: "./examples/service-front"})
//
// An image is one layer with one file, the program, which runs as a user
// without rights. The same source gives the same digest. Save writes a
// docker-archive, which `ctr images import`, `docker load`, `kind load
// image-archive` and `k3d image import` understand; one archive may hold many
// images.
//
// The agent's image, which users push to their registries, is not made here.
package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"path"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// user is the numeric id of "nonroot" in distroless images; a number, so that
// the kubelet can tell that it is not root.
const user = "65532:65532"

// Spec names an image and what is in it.
type Spec struct {
	Name    string // with tag: devtun.test/service-front:dev
	Package string // a main package, as the go command takes it: ./examples/service-front
}

// parse returns the image's tag and its program's path, named after the last
// element of the repository.
func (s Spec) parse() (tag name.Tag, program string, err error) {
	tag, err = name.NewTag(s.Name, name.StrictValidation)
	if err != nil {
		return name.Tag{}, "", fmt.Errorf("parse image name: %w", err)
	}
	return tag, "/" + path.Base(tag.RepositoryStr()), nil
}

// wrap makes an image of a linux binary, which runs as program.
func wrap(binary []byte, program string) (v1.Image, error) {
	archive, err := tarFile(program, binary)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive)), nil
	})
	if err != nil {
		return nil, fmt.Errorf("make layer: %w", err)
	}
	base, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS:           "linux",
		Architecture: runtime.GOARCH,
		Config:       v1.Config{Entrypoint: []string{program}, User: user, WorkingDir: "/"},
		RootFS:       v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, fmt.Errorf("make config: %w", err)
	}
	img, err := mutate.AppendLayers(base, layer)
	if err != nil {
		return nil, fmt.Errorf("append layer: %w", err)
	}
	return img, nil
}

// tarFile is an archive of one executable file, without a date.
func tarFile(program string, content []byte) ([]byte, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	header := &tar.Header{
		Typeflag: tar.TypeReg,
		Name:     program[1:],
		Mode:     0o555,
		Size:     int64(len(content)),
	}
	if err := w.WriteHeader(header); err != nil {
		return nil, fmt.Errorf("write layer: %w", err)
	}
	if _, err := w.Write(content); err != nil {
		return nil, fmt.Errorf("write layer: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("write layer: %w", err)
	}
	return archive.Bytes(), nil
}
