package cluster

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/sync/errgroup"
)

// Load puts the images of a tarball, as "docker save" or an OCI layout packs
// them, on all nodes that live, under the names that the tarball gives them.
func (c *Cluster) Load(ctx context.Context, file string) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, n := range c.Nodes() {
		if n.lives() {
			group.Go(func() error { return n.Load(ctx, file) })
		}
	}
	return group.Wait()
}

// Load is Cluster.Load for one node alone.
func (n Node) Load(ctx context.Context, file string) error {
	// ctr reads the file here and hands it to containerd there.
	if _, err := n.ctr(ctx, "images", "import", file); err != nil {
		return fmt.Errorf("load images on %s: %w", n.Name(), err)
	}
	return nil
}

// pauseImage is the image of the process that holds each pod's namespaces. It is
// made here, from a program of ours: no registry is ever asked for anything.
const pauseImage = "devtun.test/pause:1"

// savePause writes the pause image around the program to a tarball.
func savePause(program, file string) error {
	image, err := imageOf(program)
	if err != nil {
		return fmt.Errorf("make pause image: %w", err)
	}
	tag, err := name.NewTag(pauseImage)
	if err != nil {
		return fmt.Errorf("make pause image: %w", err)
	}
	if err := tarball.WriteToFile(file, tag, image); err != nil {
		return fmt.Errorf("make pause image: %w", err)
	}
	return nil
}

// imageOf makes an image of a single static program.
func imageOf(program string) (v1.Image, error) {
	const entry = "pause"
	content, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var files bytes.Buffer
	archive := tar.NewWriter(&files)
	header := &tar.Header{Name: entry, Mode: 0o755, Size: int64(len(content))}
	if err := archive.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := archive.Write(content); err != nil {
		return nil, err
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(files.Bytes())), nil
	})
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH // containerd passes over an image for another platform
	config.Config.Entrypoint = []string{"/" + entry}
	return mutate.ConfigFile(image, config)
}
