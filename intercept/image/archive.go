package image

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// Named is an image with the reference that it gets where it is loaded, with
// registry and tag: devtun.test/service-front:dev.
type Named struct {
	Name  string
	Index v1.ImageIndex
}

const (
	// containerdName is where containerd looks for an image's whole reference.
	containerdName = "io.containerd.image.name"
	refName        = "org.opencontainers.image.ref.name"
)

// dockerEntry is an image in manifest.json, from the time before OCI.
type dockerEntry struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// Write writes images as an archive that is two in one: an OCI layout, which
// containerd reads (`ctr images import`, kind, k3d) with all platforms in it, and
// docker's own (`docker load`), which has one: this machine's, or else the first.
func Write(w io.Writer, images ...Named) error {
	a := &archive{files: tar.NewWriter(w), written: make(map[v1.Hash]bool)}
	if err := a.write(images); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}

// archive is being written.
type archive struct {
	files   *tar.Writer
	written map[v1.Hash]bool // blobs
}

func (a *archive) write(images []Named) error {
	for _, dir := range []string{"blobs/", "blobs/sha256/"} {
		if err := a.files.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}); err != nil {
			return err
		}
	}
	all := v1.ImageIndex(empty.Index)
	var entries []dockerEntry
	for _, named := range images {
		tag, err := name.NewTag(named.Name, name.StrictValidation)
		if err != nil {
			return err
		}
		all = mutate.AppendManifests(all, mutate.IndexAddendum{Add: named.Index, Descriptor: v1.Descriptor{
			Annotations: map[string]string{containerdName: tag.Name(), refName: tag.TagStr()},
		}})
		layouts, err := a.index(named.Index)
		if err != nil {
			return err
		}
		entry := layouts[runtime.GOARCH]
		if entry == nil {
			entry = layouts[""]
		}
		if entry != nil {
			entries = append(entries,
				dockerEntry{Config: entry.Config, RepoTags: []string{tag.Name()}, Layers: entry.Layers})
		}
	}
	index, err := all.RawManifest()
	if err != nil {
		return err
	}
	docker, err := json.Marshal(entries)
	if err != nil {
		return err
	}
	for _, file := range []struct {
		name string
		text []byte
	}{
		{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)}, {"index.json", index}, {"manifest.json", docker},
	} {
		if err := a.file(file.name, file.text); err != nil {
			return err
		}
	}
	return a.files.Close()
}

// index writes the blobs of an index, and says where those of each architecture
// are. Under "" are those of the first.
func (a *archive) index(index v1.ImageIndex) (map[string]*dockerEntry, error) {
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	found := make(map[string]*dockerEntry)
	for _, descriptor := range manifest.Manifests {
		image, err := index.Image(descriptor.Digest)
		if err != nil {
			return nil, err
		}
		entry, err := a.image(image)
		if err != nil {
			return nil, err
		}
		if found[""] == nil {
			found[""] = entry
		}
		found[descriptor.Platform.Architecture] = entry
	}
	return found, a.described(index)
}

// image writes the blobs of an image.
func (a *archive) image(image v1.Image) (*dockerEntry, error) {
	config, err := image.ConfigName()
	if err != nil {
		return nil, err
	}
	text, err := image.RawConfigFile()
	if err != nil {
		return nil, err
	}
	entry := &dockerEntry{Config: blob(config)}
	if err := a.blob(config, text); err != nil {
		return nil, err
	}
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return nil, err
		}
		content, err := compressed(layer)
		if err != nil {
			return nil, err
		}
		if err := a.blob(digest, content); err != nil {
			return nil, err
		}
		entry.Layers = append(entry.Layers, blob(digest))
	}
	return entry, a.described(image)
}

// described writes the manifest of an image or an index.
func (a *archive) described(of interface {
	Digest() (v1.Hash, error)
	RawManifest() ([]byte, error)
}) error {
	digest, err := of.Digest()
	if err != nil {
		return err
	}
	manifest, err := of.RawManifest()
	if err != nil {
		return err
	}
	return a.blob(digest, manifest)
}

func compressed(layer v1.Layer) ([]byte, error) {
	content, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	defer content.Close()
	return io.ReadAll(content)
}

// blob is a blob's path.
func blob(digest v1.Hash) string { return "blobs/" + digest.Algorithm + "/" + digest.Hex }

// blob writes one that is not there yet.
func (a *archive) blob(digest v1.Hash, content []byte) error {
	if a.written[digest] {
		return nil
	}
	a.written[digest] = true
	return a.file(blob(digest), content)
}

// file writes a file without a date.
func (a *archive) file(path string, content []byte) error {
	if err := a.files.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: path, Mode: 0o644,
		Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := a.files.Write(content)
	return err
}
