// Package build makes the programs of the local cluster with the Go toolchain
// and keeps them in the user's cache directory, so that the minutes they cost are
// paid once for all checkouts:
//
//	<user cache>/devtun/cluster/<name>-<key>/<name>
//
// The key is a hash of everything that decides the result: the sources, go.mod,
// go.sum, the flags and the toolchain. A file that exists is whole: it was built
// elsewhere and renamed into place, under a lock that every checkout takes.
package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/devtun/devtun/e2e/cluster/lock"
)

// heartbeat is how often a long build says that it is still at work.
const heartbeat = 20 * time.Second

// Program is one program to be built.
type Program struct {
	// Name is the name of the file.
	Name string
	// Title and Cost are for people: what it is, how long a first build takes.
	// A program without a Cost is built silently.
	Title, Cost string
	// Directory is that of its main package, relative to the devtun module.
	Directory string
	// Sources are further directories, relative likewise, whose Go files decide
	// the result.
	Sources []string
	// ModFile is a file in that directory that is used in place of go.mod, and one with
	// .sum in place of .mod with it; "" for go.mod.
	ModFile string
	// LinkFlags are given to the linker.
	LinkFlags string
}

// Module finds the directory of the devtun module that the process runs in. It
// asks the go command, since a binary built with -trimpath does not know.
func Module(ctx context.Context) (string, error) {
	const path = "github.com/devtun/devtun"
	out, err := goCommand(ctx, "", "list", "-m", "-f", "{{.Dir}}", path).Output()
	if err != nil {
		return "", fmt.Errorf("find module %s: %w: run this inside a devtun checkout", path, detail(err))
	}
	return strings.TrimSpace(string(out)), nil
}

// Build returns the path of the program, which it builds first if the cache has
// none. module is the directory of the devtun module; progress hears of long
// work, in lines.
func (p Program) Build(ctx context.Context, module string, progress io.Writer) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("build %s: %w", p.Name, err)
	}
	cache = filepath.Join(cache, "devtun", "cluster")
	key, err := p.key(ctx, module)
	if err != nil {
		return "", fmt.Errorf("build %s: %w", p.Name, err)
	}
	path := filepath.Join(cache, p.Name+"-"+key, p.Name)
	if exists(path) {
		return path, nil
	}
	unlock, err := lock.Directory(ctx, cache, func() {
		fmt.Fprintf(progress, "waiting for another build of the cluster's programs\n")
	})
	if err != nil {
		return "", fmt.Errorf("build %s: %w", p.Name, err)
	}
	defer unlock()
	if exists(path) { // built by whoever held the lock
		return path, nil
	}
	if err := p.compile(ctx, filepath.Join(module, p.Directory), path, progress); err != nil {
		return "", fmt.Errorf("build %s: %w", p.Name, err)
	}
	return path, nil
}

// compile builds the package in directory and renames the result to path.
func (p Program) compile(ctx context.Context, directory, path string, progress io.Writer) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	draft := path + ".draft"                // one at a time: we hold the lock
	defer func() { _ = os.Remove(draft) }() // nothing is there once it has been renamed
	args := []string{"build", "-trimpath", "-ldflags", p.linkFlags(), "-o", draft}
	if p.ModFile != "" {
		args = append(args, "-modfile", p.ModFile)
	}
	cmd := goCommand(ctx, directory, append(args, ".")...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	stop := p.announce(progress)
	err := cmd.Run()
	stop()
	if err != nil {
		return fmt.Errorf("run go build in %s: %w\n%s", directory, err, tail(output.String(), 20))
	}
	return os.Rename(draft, path)
}

// announce tells progress of a costly build, then repeats itself until stopped.
func (p Program) announce(progress io.Writer) (stop func()) {
	if p.Cost == "" {
		return func() {}
	}
	begin := time.Now()
	fmt.Fprintf(progress, "building %s, once, %s\n", p.Title, p.Cost)
	ticker := time.NewTicker(heartbeat)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ticker.C:
				fmt.Fprintf(progress, "building %s: %s\n", p.Title, time.Since(begin).Round(time.Second))
			case <-done:
				return
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(done)
		<-ended
	}
}

func (p Program) linkFlags() string { return strings.TrimSpace("-s -w " + p.LinkFlags) }

// goCommand is the go command with an environment that makes its result depend
// on nothing but the sources: no flags, workspace or target of the caller's.
func goCommand(ctx context.Context, directory string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = directory
	cmd.Env = append(os.Environ(),
		"CGO_ENABLED=0", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH,
		"GOFLAGS=-mod=readonly -buildvcs=false", "GOWORK=off")
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// detail adds to the error of a command what the command said.
func detail(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	return err
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
