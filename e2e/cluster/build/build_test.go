package build_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/devtun/devtun/e2e/cluster/build"
)

const source = `package main

var version = "none"

func main() { print("hello ", version) }
`

// module writes a module of one program and directs the cache to a new place.
func module(t *testing.T) (directory string, program build.Program) {
	t.Helper()
	compiled, err := exec.Command("go", "env", "GOCACHE").Output()
	require.NoError(t, err)
	t.Setenv("GOCACHE", strings.TrimSpace(string(compiled))) // the toolchain's own cache stays where it is
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("GOFLAGS", "-mod=vendor") // the caller's flags are not to matter
	directory = t.TempDir()
	write(t, directory, "hello/go.mod", "module hello\n\ngo 1.26.0\n")
	write(t, directory, "hello/main.go", source)
	write(t, directory, "more/more.go", "package more\n")
	return directory, build.Program{
		Name: "hello", Title: "Hello v1", Cost: "a moment",
		Directory: "hello", Sources: []string{"more"}, LinkFlags: "-X main.version=v1",
	}
}

func TestBuild(t *testing.T) {
	defer goleak.VerifyNone(t)
	directory, program := module(t)
	var progress bytes.Buffer
	path, err := program.Build(t.Context(), directory, &progress)
	require.NoError(t, err)
	require.Equal(t, "building Hello v1, once, a moment\n", progress.String())
	out, err := exec.Command(path).CombinedOutput()
	require.NoError(t, err)
	require.Equal(t, "hello v1", string(out))

	progress.Reset()
	again, err := program.Build(t.Context(), directory, &progress)
	require.NoError(t, err)
	require.Equal(t, path, again)
	require.Empty(t, progress.String(), "it was there")
}

func TestBuildIsKeyedByWhatDecidesIt(t *testing.T) {
	directory, program := module(t)
	seen := map[string]bool{}
	paths := func() string {
		path, err := program.Build(t.Context(), directory, &bytes.Buffer{})
		require.NoError(t, err)
		return path
	}
	first := paths()
	seen[first] = true
	for name, change := range map[string]func(){
		"source":         func() { write(t, directory, "hello/main.go", source+"\n// changed\n") },
		"module":         func() { write(t, directory, "hello/go.mod", "module hello\n\ngo 1.25.0\n") },
		"further source": func() { write(t, directory, "more/more.go", "package more // changed\n") },
		"new file":       func() { write(t, directory, "hello/new.go", "package main\n") },
		"link flags":     func() { program.LinkFlags = "-X main.version=v2" },
	} {
		change()
		path := paths()
		require.False(t, seen[path], "%s is not in the key", name)
		seen[path] = true
	}
	last := paths()
	write(t, directory, "hello/main_test.go", "package main\n")
	write(t, directory, "hello/README.md", "text\n")
	require.Equal(t, last, paths(), "nothing that decides has changed")
}

func TestBuildFails(t *testing.T) {
	defer goleak.VerifyNone(t)
	directory, program := module(t)
	write(t, directory, "hello/main.go", "package main\n\nfunc main() { undefined() }\n")
	_, err := program.Build(t.Context(), directory, &bytes.Buffer{})
	require.ErrorContains(t, err, "undefined: undefined")
	left, err := filepath.Glob(filepath.Join(os.Getenv("XDG_CACHE_HOME"), "devtun", "cluster", "*", "*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestBuildAtOnce(t *testing.T) {
	defer goleak.VerifyNone(t)
	directory, program := module(t)
	var logs [4]bytes.Buffer
	var group errgroup.Group
	for i := range logs {
		group.Go(func() error {
			_, err := program.Build(t.Context(), directory, &logs[i])
			return err
		})
	}
	require.NoError(t, group.Wait())
	builds := 0
	for i := range logs {
		builds += strings.Count(logs[i].String(), "building Hello")
	}
	require.Equal(t, 1, builds)
}

func TestModule(t *testing.T) {
	directory, err := build.Module(t.Context())
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(directory, "e2e", "cluster", "build", "build_test.go"))

	t.Chdir(t.TempDir())
	_, err = build.Module(t.Context())
	require.ErrorContains(t, err, "inside a devtun checkout")
}

func write(t *testing.T, directory, name, content string) {
	t.Helper()
	path := filepath.Join(directory, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}
