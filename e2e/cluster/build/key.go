package build

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// key is a hash of all that decides what the program becomes.
func (p Program) key(ctx context.Context, module string) (string, error) {
	// Asked in the program's own directory: its go.mod may choose a toolchain.
	version, err := goCommand(ctx, filepath.Join(module, p.Directory), "env", "GOVERSION").Output()
	if err != nil {
		return "", fmt.Errorf("ask for the Go version: %w", detail(err))
	}
	hash := sha256.New()
	fmt.Fprintf(hash, "%s %s %s\n", version, runtime.GOARCH, p.linkFlags())
	for _, directory := range append([]string{p.Directory}, p.Sources...) {
		if err := p.hashSources(hash, filepath.Join(module, directory)); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}

// hashSources adds the directory's go.mod, go.sum, or what is used in their place, and
// Go files to the hash, in the order of their names, each with its name and length.
func (p Program) hashSources(hash io.Writer, directory string) error {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return fmt.Errorf("hash sources: %w", err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if !p.isSource(name) {
			continue
		}
		content, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil {
			return fmt.Errorf("hash sources: %w", err)
		}
		fmt.Fprintf(hash, "%s %d\n", name, len(content))
		_, _ = hash.Write(content) // cannot fail
	}
	return nil
}

func (p Program) isSource(name string) bool {
	modFile := cmp.Or(p.ModFile, "go.mod")
	if name == modFile || name == strings.TrimSuffix(modFile, ".mod")+".sum" {
		return true
	}
	return strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
}
