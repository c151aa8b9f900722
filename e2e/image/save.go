package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Save builds the images and writes them to one docker-archive at file, which
// appears whole or not at all. Packages are resolved in the current directory.
func Save(ctx context.Context, file string, specs ...Spec) error {
	if len(specs) == 0 {
		return errors.New("save images: none given")
	}
	images := make(map[name.Tag]v1.Image, len(specs))
	for _, spec := range specs {
		tag, program, err := spec.parse()
		if err != nil {
			return err
		}
		if _, twice := images[tag]; twice {
			return fmt.Errorf("save images: %s is given twice", spec.Name)
		}
		binary, err := compile(ctx, spec.Package)
		if err != nil {
			return err
		}
		if images[tag], err = wrap(binary, program); err != nil {
			return fmt.Errorf("build image %s: %w", spec.Name, err)
		}
	}
	return write(file, images)
}

// write puts the archive in place by a rename.
func write(file string, images map[name.Tag]v1.Image) error {
	draft, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return fmt.Errorf("write images: %w", err)
	}
	defer os.Remove(draft.Name()) // nothing is there once it has been renamed
	err = errors.Join(
		draft.Chmod(0o644), // the one who imports it may be another user
		tarball.MultiWrite(images, draft),
		draft.Close(),
	)
	if err != nil {
		return fmt.Errorf("write images: %w", err)
	}
	if err := os.Rename(draft.Name(), file); err != nil {
		return fmt.Errorf("write images: %w", err)
	}
	return nil
}

// compile builds a static binary for linux on this machine's architecture. It
// depends on nothing but the source and the compiler: no paths, no commit.
func compile(ctx context.Context, pkg string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "devtun-image-")
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", pkg, err)
	}
	defer os.RemoveAll(dir)

	// With a folder as output, the go command insists on a main package.
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags=-s -w -buildid=", "-o", dir+string(filepath.Separator), pkg)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH)
	if text, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compile %s: %w\n%s", pkg, err, strings.TrimSpace(string(text)))
	}
	programs, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", pkg, err)
	}
	if len(programs) != 1 {
		return nil, fmt.Errorf("compile %s: %d programs, want one", pkg, len(programs))
	}
	binary, err := os.ReadFile(filepath.Join(dir, programs[0].Name()))
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", pkg, err)
	}
	return binary, nil
}
