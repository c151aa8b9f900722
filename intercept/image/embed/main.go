// Command embed compiles the agent into the files that devtun embeds when it is
// built with the tag embed_agent:
//
//	go run ./intercept/image/embed -o intercept/image/agents
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/devtun/devtun/intercept/image"
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

// write writes a layer a platform.
func write(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, platform := range image.Platforms() {
		layer, err := image.CompileAgent(ctx, platform.Architecture)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, platform.Architecture+".tar.gz"), layer, 0o644); err != nil {
			return err
		}
	}
	return nil
}
