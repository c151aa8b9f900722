package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// buildTimeout bounds each program that is run: a cold cross build takes minutes.
const buildTimeout = 15 * time.Minute

// file is one that is put into archives and packages.
type file struct {
	name    string // in the archive
	content []byte
	mode    os.FileMode
}

// compile makes devtun for a system, with the agent in it.
func (r *release) compile(ctx context.Context, system, arch, staging string) (file, error) {
	program := file{name: "devtun", mode: 0o755}
	if system == "windows" {
		program.name += ".exe"
	}
	path := filepath.Join(staging, system+"-"+arch)
	_, err := run(ctx, []string{"CGO_ENABLED=0", "GOOS=" + system, "GOARCH=" + arch},
		"go", "build", "-trimpath", "-buildvcs=false", "-tags", "embed_agent",
		"-ldflags", "-s -w -X github.com/devtun/devtun/cmd/cli/version.Version="+r.version, "-o", path, "./cmd/devtun")
	if err != nil {
		return program, err
	}
	program.content, err = os.ReadFile(path)
	return program, err
}

// shells are the names that completion scripts go by.
var shells = []struct{ shell, name string }{
	{"bash", "devtun.bash"}, {"zsh", "_devtun"}, {"fish", "devtun.fish"}, {"powershell", "devtun.ps1"},
}

// common makes what is the same for all systems: documents, man pages and completion
// scripts. It compiles the agents first, which all programs have in them.
func (r *release) common(ctx context.Context, staging string) (files []file, err error) {
	// With -trimpath, which make has in GOFLAGS, it would not find the agent's source.
	if _, err := run(ctx, []string{"GOFLAGS="}, "go", "run", "./intercept/image/embed", "-o",
		"intercept/image/agents"); err != nil {
		return nil, err
	}
	if files, err = documents(); err != nil {
		return nil, err
	}
	pages := filepath.Join(staging, "man")
	if _, err := run(ctx, nil, "go", "run", "./docs/gen", "-man", "-source", "devtun "+r.version, "-date",
		r.date.Format(time.DateOnly), pages); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(pages)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(pages, entry.Name()))
		if err != nil {
			return nil, err
		}
		files = append(files, file{"man/" + entry.Name(), content, 0o644})
	}
	if _, err := r.compile(ctx, runtime.GOOS, runtime.GOARCH, staging); err != nil {
		return nil, err
	}
	for _, s := range shells {
		script, err := run(ctx, nil, filepath.Join(staging, runtime.GOOS+"-"+runtime.GOARCH), "completion", s.shell)
		if err != nil {
			return nil, err
		}
		files = append(files, file{"completions/" + s.name, script, 0o644})
	}
	return files, nil
}

// documents are what stands beside the program.
func documents() (files []file, err error) {
	for _, name := range []string{"README.md", "CHANGELOG.md", "LICENSE"} {
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name, content, 0o644})
	}
	return files, nil
}

// run runs a program and returns its standard output.
func run(ctx context.Context, env []string, program string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("run %s %s: %w", program, args, err)
	}
	return out.Bytes(), nil
}
