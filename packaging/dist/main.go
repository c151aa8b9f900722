// Command dist makes what a release consists of: an archive for each system, Debian
// packages, and their checksums. It runs in the root of the repository:
//
//	dist -version v1.2.3 -date 1700000000 -o DIR [OS/ARCH…]
//
// The same source, version and date give the same bytes, whoever makes them and
// wherever: what is in it has that date, root as its owner, and a fixed order.
package main

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// targets are the systems that devtun is made for.
var targets = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64"}

func main() {
	version := flag.String("version", "", "what 'devtun version' says")
	date := flag.Int64("date", 0, "when that was, in seconds since 1970")
	out := flag.String("o", "dist", "`directory` to write to")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r := &release{version: *version, date: time.Unix(*date, 0).UTC(), out: *out, targets: flag.Args()}
	if err := r.make(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

// release is what is made.
type release struct {
	version string
	date    time.Time
	out     string
	targets []string // none: all
}

func (r *release) make(ctx context.Context) (err error) {
	if r.version == "" {
		return fmt.Errorf("name a -version")
	}
	if len(r.targets) == 0 {
		r.targets = targets
	}
	for _, target := range r.targets {
		if !slices.Contains(targets, target) {
			return fmt.Errorf("no such target %q: there are %s", target, strings.Join(targets, ", "))
		}
	}
	staging, err := os.MkdirTemp("", "devtun-dist-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(staging) }()
	common, err := r.common(ctx, staging)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	for _, target := range r.targets {
		if err := r.target(ctx, target, staging, common); err != nil {
			return fmt.Errorf("make %s: %w", target, err)
		}
	}
	return r.sums()
}

// target makes all that is for one system.
func (r *release) target(ctx context.Context, target, staging string, common []file) error {
	system, arch, _ := strings.Cut(target, "/")
	program, err := r.compile(ctx, system, arch, staging)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("devtun_%s_%s_%s", r.version, system, arch)
	if err := r.archive(name, system, append([]file{program}, common...)); err != nil {
		return err
	}
	if system == "linux" {
		return r.deb(arch, program, common)
	}
	return nil
}

// sums writes SHA256SUMS, as sha256sum -c reads it.
func (r *release) sums() error {
	entries, err := os.ReadDir(r.out) // sorted
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(r.out, entry.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), entry.Name())
	}
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(sums.String()), 0o644)
}
