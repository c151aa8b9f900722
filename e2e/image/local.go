package image

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// SaveLocal writes an image of programs of this machine, with the libraries that they are
// linked to, to a file as "docker save" does. They are where they are here, and links are
// what they lead to. It starts nothing by itself.
func SaveLocal(ctx context.Context, file, reference string, programs ...string) error {
	if err := saveLocal(ctx, file, reference, programs); err != nil {
		return fmt.Errorf("save image %s: %w", reference, err)
	}
	return nil
}

func saveLocal(ctx context.Context, file, reference string, programs []string) error {
	tag, err := name.NewTag(reference)
	if err != nil {
		return err
	}
	files := slices.Clone(programs)
	for _, program := range programs {
		libraries, err := librariesOf(ctx, program)
		if err != nil {
			return err
		}
		files = append(files, libraries...)
	}
	slices.Sort(files)
	packed, err := packLocal(slices.Compact(files))
	if err != nil {
		return err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed)), nil
	})
	if err != nil {
		return err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return err
	}
	return tarball.WriteToFile(file, tag, image)
}

// inLdd is a path in what ldd prints:
//
//	libssl.so.3 => /lib/x86_64-linux-gnu/libssl.so.3 (0x00007f3b4c000000)
//	/lib64/ld-linux-x86-64.so.2 (0x00007f3b4c600000)
var inLdd = regexp.MustCompile(`(/\S+) \(0x`)

func librariesOf(ctx context.Context, program string) (paths []string, err error) {
	out, err := exec.CommandContext(ctx, "ldd", program).Output()
	if err != nil {
		return nil, fmt.Errorf("run ldd %s: %w", program, err)
	}
	for _, found := range inLdd.FindAllStringSubmatch(string(out), -1) {
		paths = append(paths, found[1])
	}
	return paths, nil
}

func packLocal(files []string) ([]byte, error) {
	var packed bytes.Buffer
	archive := tar.NewWriter(&packed)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		header := &tar.Header{
			Name: strings.TrimPrefix(filepath.Clean(file), "/"), Mode: 0o755, Size: int64(len(content)),
		}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(content); err != nil {
			return nil, err
		}
	}
	err := archive.Close()
	return packed.Bytes(), err
}
