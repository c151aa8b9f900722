// Package devtun_test holds what is true of the repository as a whole.
package devtun_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
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
	"proc":      {},
	"statedir":  {},
	"tunnel":    {"proc"},
	"disk":      {"proc"},
	"dns":       {"disk", "proc", "statedir"},
	"intercept": {"disk", "proc", "tunnel"},
	"cmd":       {"disk", "proc", "statedir", "tunnel", "dns", "intercept"},
	"examples":  {},
}

// tools may be imported by every part. They import the standard library alone: the
// agent links them.
var tools = []string{"pause", "broadcast", "lines"}

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
			require.True(t, of == part || slices.Contains(allowed, of) || slices.Contains(tools, of),
				"%s imports %s", file, imported)
			require.False(t, part == "cmd" && local == "tunnel/tunneltest" && !strings.HasSuffix(file, "_test.go"),
				"%s imports %s", file, imported)
		}
	}
	for _, part := range []string{"disk", "proc", "statedir", "tunnel", "dns", "intercept", "cmd", "examples"} {
		require.True(t, checked[part], "%s has no source", part)
	}
}

func TestToolsImportNothing(t *testing.T) {
	for file, imports := range sources(t) {
		if !slices.Contains(tools, path.Dir(file)) || strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, imported := range imports {
			require.NotContains(t, imported, ".", file)
		}
	}
}

// inDNS says which packages below dns each of them may import.
var inDNS = map[string][]string{
	"dns/namecache": {},
	"dns/loopback":  {},
	"dns/hostsfile": {"dns/loopback", "dns/namecache"},
	"dns":           {"dns/hostsfile", "dns/loopback"},
	"dns/helper":    {"dns", "dns/hostsfile", "dns/loopback"},
}

func TestImportsInDNSRunDown(t *testing.T) {
	checked := make(map[string]bool)
	for file, imports := range sources(t) {
		if !strings.HasPrefix(file, "dns/") {
			continue
		}
		checked[path.Dir(file)] = true
		for _, imported := range imports {
			local, ours := strings.CutPrefix(imported, module)
			if ours && (local == "dns" || strings.HasPrefix(local, "dns/")) {
				require.Contains(t, inDNS[path.Dir(file)], local, "%s imports %s", file, imported)
			}
		}
	}
	require.Len(t, checked, len(inDNS))
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

// TestPackageTable: docs/ARCHITECTURE.md has each package of these parts in its table,
// with what it imports of ours.
func TestPackageTable(t *testing.T) {
	page, err := os.ReadFile("docs/ARCHITECTURE.md")
	require.NoError(t, err)
	imports := make(map[string]map[string]bool)
	for file, all := range sources(t) {
		part, _, _ := strings.Cut(file, "/")
		if strings.HasSuffix(file, "_test.go") || part != "tunnel" && part != "intercept" && !slices.Contains(tools, part) {
			continue
		}
		of := path.Dir(file)
		if imports[of] == nil {
			imports[of] = make(map[string]bool)
		}
		for _, imported := range all {
			if local, ours := strings.CutPrefix(imported, module); ours {
				imports[of][local] = true
			}
		}
	}
	delete(imports, "intercept/image/embed") // a tool of the build
	for of, all := range imports {
		var column []string
		for _, imported := range slices.Sorted(maps.Keys(all)) {
			column = append(column, "`"+imported+"`")
		}
		row := regexp.MustCompile("(?m)^\\| `" + of + "` \\| [^|]+ \\| (.*?) ?\\|$").FindSubmatch(page)
		require.NotNil(t, row, "docs/ARCHITECTURE.md has no row for %s", of)
		require.Equal(t, strings.Join(column, ", "), string(row[1]), of)
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

// floors are the packages below cmd/cli, each above those that it may import. What a
// package needs of one above it is handed in.
var floors = []string{
	// What stands without knowing of commands.
	"version", "run/command", "credential", "forwards", "status", "project", "background", "live",
	// What every command does in the same way.
	"problem", "output", "arguments", "ending", "foreground", "machine", "kube", "selection", "console",
	// The commands.
	"image", "ide", "forward", "run", "intercept", "firstproject", "sessions", "up",
}

func TestCommandsImportOnlyDown(t *testing.T) {
	for file, imports := range sources(t) {
		name, inside := strings.CutPrefix(path.Dir(file), "cmd/cli/")
		if !inside || strings.HasSuffix(file, "_test.go") {
			continue
		}
		at := slices.Index(floors, name)
		require.GreaterOrEqual(t, at, 0, "%s is on no floor", name)
		for _, imported := range imports {
			if other, below := strings.CutPrefix(imported, module+"cmd/cli/"); below {
				require.Contains(t, floors[:at], other, "%s imports %s, which stands above it", file, other)
			}
			require.NotEqual(t, module+"cmd/cli", imported, "%s imports all commands", file)
		}
	}
}
