// Command embed compiles and packs the agent into the files that devtun embeds when it is
// built with the tag embed_agent:
//
//	go run ./intercept/image/embed -o intercept/image/agents
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/devtun/devtun/intercept/image"
	"github.com/devtun/devtun/intercept/loader"
	"github.com/devtun/devtun/internal/disk"
)

func main() {
	out := flag.String("o", "intercept/image/agents", "`directory` to write to")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := write(ctx, *out); err != nil {
		fmt.Fprintln(os.Stderr, "embed:", err)
		os.Exit(1)
	}
}

// write writes a program a platform.
func write(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, platform := range image.Platforms() {
		program, err := image.CompileAgent(ctx, platform.Architecture)
		if err != nil {
			return err
		}
		packed, err := loader.Pack(program)
		if err != nil {
			return err
		}
		if err := replace(filepath.Join(dir, platform.Architecture+".lz4"), packed); err != nil {
			return err
		}
	}
	return nil
}

// replace writes a file whole, and only if it is another: a build that reads it
// meanwhile finds the one or the other, and need not be done again for the same.
func replace(file string, content []byte) error {
	if was, err := os.ReadFile(file); err == nil && bytes.Equal(was, content) {
		return nil
	}
	return disk.FS{}.WriteFile(file, disk.DraftPath(file), content, 0o644)
}
