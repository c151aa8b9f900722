// Package image builds container images around static Go binaries for the
// examples and the end-to-end tests, in the way that the agent's is built:
//
//	err := image.Save(ctx, "out.tar",
//		image.Spec{Name: "devtun.test/service-front:dev", Package: "./examples/service-front"})
//
// One archive may hold many images. They are for this machine's architecture.
package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/devtun/devtun/intercept/image"
)

// Spec names an image and what is in it.
type Spec struct {
	Name    string // with registry and tag: devtun.test/service-front:dev
	Package string // a main package, as the go command takes it: ./examples/service-front
	Binary  string // instead of a package, the file of a static program for linux
}

// Save builds the images and writes them to one archive at file, which appears
// whole or not at all. Packages are resolved in the current directory.
func Save(ctx context.Context, file string, specs ...Spec) error {
	if len(specs) == 0 {
		return errors.New("save images: none given")
	}
	given := make(map[string]bool, len(specs))
	for _, spec := range specs {
		if given[spec.Name] {
			return fmt.Errorf("save images: %s is given twice", spec.Name)
		}
		given[spec.Name] = true
	}
	images := make([]image.Named, 0, len(specs))
	for _, spec := range specs {
		index, err := spec.build(ctx)
		if err != nil {
			return err
		}
		images = append(images, image.Named{Name: spec.Name, Index: index})
	}
	return image.Save(file, images...)
}

// build makes the image of a program, named after the last element of the
// repository.
func (s Spec) build(ctx context.Context) (v1.ImageIndex, error) {
	tag, err := name.NewTag(s.Name, name.StrictValidation)
	if err != nil {
		return nil, fmt.Errorf("parse image name: %w", err)
	}
	program := path.Base(tag.RepositoryStr())
	var binary []byte
	if s.Binary != "" {
		binary, err = os.ReadFile(s.Binary)
	} else {
		binary, err = image.Compile(ctx, "", s.Package, runtime.GOARCH)
	}
	if err != nil {
		return nil, err
	}
	packed, err := image.Pack(program, binary)
	if err != nil {
		return nil, err
	}
	platform := v1.Platform{OS: "linux", Architecture: runtime.GOARCH}
	return image.New(program, nil, image.Layer{Platform: platform, Packed: packed})
}
