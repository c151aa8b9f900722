// Package devtun_test holds what is true of the repository as a whole.
package devtun_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/devtun/devtun/"

// mayImport says which parts of the program a part may import, beside itself.
// cmd/cli alone knows them all.
var mayImport = map[string][]string{
	"internal":  {},
	"tunnel":    {"internal"},
	"dns":       {"internal"},
	"intercept": {"internal", "tunnel"},
	"cmd":       {"internal", "tunnel", "dns", "intercept"},
	"examples":  {},
}

// tools import the standard library alone: the agent links them.
var tools = []string{"internal/broadcast", "internal/lines", "internal/pause"}

// mains says what a main may import beside cmd/cli.
var mains = map[string][]string{"cmd/devtun-agent": {"intercept"}}

func TestImports(t *testing.T) {
	checked := make(map[string]bool)
	for file, imports := range sources(t) {
		for _, imported := range imports {
			require.False(t, strings.HasPrefix(imported, module+"e2e"), "%s imports %s, of the tests' module", file, imported)
		}
		part, _, _ := strings.Cut(file, "/")
		allowed, ruled := mayImport[part]
		if !ruled {
			continue // tests and their tools
		}
		checked[part] = true
		if part == "cmd" && !strings.HasPrefix(file, "cmd/cli/") {
			allowed = mains[path.Dir(file)] // a main only calls Main
		}
		for _, imported := range imports {
			local, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			of, _, _ := strings.Cut(local, "/")
			require.True(t, of == part || slices.Contains(allowed, of), "%s imports %s", file, imported)
			require.False(t, part == "cmd" && local == "tunnel/tunneltest" && !strings.HasSuffix(file, "_test.go"),
				"%s imports %s", file, imported)
		}
	}
	for _, part := range []string{"internal", "tunnel", "dns", "intercept", "cmd", "examples"} {
		require.True(t, checked[part], "%s has no source", part)
	}
}

func TestToolsImportNothing(t *testing.T) {
	checked := make(map[string]bool)
	for file, imports := range sources(t) {
		if !slices.Contains(tools, path.Dir(file)) || strings.HasSuffix(file, "_test.go") {
			continue
		}
		checked[path.Dir(file)] = true
		for _, imported := range imports {
			require.NotContains(t, imported, ".", file)
		}
	}
	require.Len(t, checked, len(tools))
}

func TestDNSKnowsNothingOfKubernetes(t *testing.T) {
	for file, imports := range sources(t) {
		if !strings.HasPrefix(file, "dns/") {
			continue
		}
		for _, imported := range imports {
			require.False(t, strings.HasPrefix(imported, "k8s.io/"), "%s imports %s", file, imported)
		}
	}
}

// sources lists every Go file of this module, and what it imports.
func sources(t *testing.T) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	require.NoError(t, filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skip(name)
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		imports := []string{}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, imported)
		}
		found[filepath.ToSlash(name)] = imports
		return nil
	}))
	return found
}

// skip leaves out what is hidden and what is another module.
func skip(dir string) error {
	if dir == "." {
		return nil
	}
	if strings.HasPrefix(filepath.Base(dir), ".") {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}
