package image

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Compile builds a static binary for linux from pkg, as the go command takes it in
// directory dir ("" for the current one). It depends on nothing but the source and
// the compiler: no paths, no commit, none of the user's settings.
func Compile(ctx context.Context, dir, pkg, arch string) ([]byte, error) {
	out, err := os.MkdirTemp("", "devtun-image-")
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", pkg, err)
	}
	defer os.RemoveAll(out)

	// With a folder as output, the go command insists on a main package.
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags=-s -w -buildid=", "-o", out+string(filepath.Separator), pkg)
	build.Dir = dir
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0",
		"GOFLAGS=", "GOWORK=off", "GOEXPERIMENT=", "GOAMD64=", "GOARM64=")
	if text, err := build.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("compile %s: %w", pkg, ctx.Err())
		}
		return nil, fmt.Errorf("compile %s: %w\n%s", pkg, err, strings.TrimSpace(string(text)))
	}
	programs, err := os.ReadDir(out)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", pkg, err)
	}
	if len(programs) != 1 {
		return nil, fmt.Errorf("compile %s: %d programs, want one", pkg, len(programs))
	}
	binary, err := os.ReadFile(filepath.Join(out, programs[0].Name()))
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", pkg, err)
	}
	return binary, nil
}

// CompileAgent makes the agent's program from the source of this devtun. Its error
// is ErrNoAgent where the source or the go command is missing.
func CompileAgent(ctx context.Context, arch string) ([]byte, error) {
	return compileAgent(ctx, source(), arch)
}

// compileAgent is CompileAgent from the module in directory dir; "" is none.
func compileAgent(ctx context.Context, dir, arch string) ([]byte, error) {
	if dir == "" {
		return nil, fmt.Errorf("%w, and its source is not at hand", ErrNoAgent)
	}
	if _, err := exec.LookPath("go"); err != nil {
		return nil, fmt.Errorf("%w, and there is no go command to compile it: %w", ErrNoAgent, err)
	}
	return Compile(ctx, dir, "./cmd/"+program, arch)
}

// source is the directory of the module that this program was compiled from, as
// the compiler has recorded it; "" if it did not (-trimpath) or is elsewhere.
func source() string {
	_, file, _, _ := runtime.Caller(0)
	dir := filepath.Dir(filepath.Dir(filepath.Dir(filepath.FromSlash(file))))
	if !filepath.IsAbs(dir) {
		return ""
	}
	if _, err := os.Stat(filepath.Join(dir, "cmd", program, "main.go")); err != nil {
		return ""
	}
	return dir
}
