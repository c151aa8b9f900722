package devtun_test

import (
	"flag"
	"fmt"
	"go/doc"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the table of packages in docs/ARCHITECTURE.md anew")

// maxFiles is how many files a package may have, its tests aside.
const maxFiles = 25

// packages are those of this module, by path: what each imports of the others.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	for file, imports := range sources(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		dir := path.Dir(file)
		all := found[dir]
		for _, imported := range imports {
			if local, ours := strings.CutPrefix(imported, module); ours {
				all = append(all, local)
			}
		}
		slices.Sort(all)
		found[dir] = slices.Compact(all)
	}
	return found
}

// architecture is the page with the table of packages, whose rows say
//
//	| `path` | what it is, in a sentence | `what/it/imports`, … |
//
// anyImport stands for all imports, in the row of the package that brings them together.
const (
	architecture = "docs/ARCHITECTURE.md"
	anyImport    = "all of these"
)

var (
	row      = regexp.MustCompile("^\\| (`[^|]+`) \\| ([^|]*) \\|([^|]*)\\|$")
	inQuotes = regexp.MustCompile("`([^`]+)`")
)

func quoted(text string) (names []string) {
	for _, name := range inQuotes.FindAllStringSubmatch(text, -1) {
		names = append(names, name[1])
	}
	return names
}

// importCell is the last one of a row.
func importCell(names []string) string {
	if len(names) == 0 {
		return " "
	}
	return " `" + strings.Join(names, "`, `") + "` "
}

// TestEveryPackageIsInTheTable compares the table of packages with those there are, and
// its imports with theirs. With -update it puts right what it can: what is imported, rows
// of packages that are gone, and those of new ones, whose sentence is that of their doc.
func TestEveryPackageIsInTheTable(t *testing.T) {
	text, err := os.ReadFile(architecture)
	require.NoError(t, err)
	there := packages(t)
	told := make(map[string]bool)
	var lines, wrong []string
	inTable, last := false, 0 // last is the line behind the last row of this module
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "## ") {
			inTable = line == "## Packages"
		}
		cells := row.FindStringSubmatch(line)
		if !inTable || cells == nil {
			lines = append(lines, line)
			continue
		}
		names := quoted(cells[1])
		if _, ours := there[names[0]]; !ours {
			if isDirectory(names[0]) { // of another module
				lines = append(lines, line)
			} else {
				wrong = append(wrong, "is gone: "+line)
			}
			continue
		}
		var imports []string
		for _, name := range names {
			told[name] = true
			imports = append(imports, there[name]...)
		}
		slices.Sort(imports)
		imports = slices.DeleteFunc(slices.Compact(imports), func(name string) bool {
			return slices.Contains(names, name)
		})
		if strings.TrimSpace(cells[3]) != anyImport && !slices.Equal(sorted(quoted(cells[3])), imports) {
			line = fmt.Sprintf("| %s | %s |%s|", cells[1], cells[2], importCell(imports))
			wrong = append(wrong, "is to be: "+line)
		}
		if strings.TrimSpace(cells[2]) == "" {
			wrong = append(wrong, "has no sentence: "+line)
		}
		lines = append(lines, line)
		last = len(lines)
	}
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(there)) {
		if !told[name] {
			what, imports := sentence(t, name), importCell(there[name])
			missing = append(missing, fmt.Sprintf("| `%s` | %s |%s|", name, what, imports))
		}
	}
	for _, line := range missing {
		wrong = append(wrong, "is missing: "+line)
	}
	if *update {
		lines = slices.Insert(lines, last, missing...)
		require.NoError(t, os.WriteFile(architecture, []byte(strings.Join(lines, "\n")+"\n"), 0o644))
		return
	}
	require.Empty(t, wrong, "the table in %s; 'go test -run %s -update .' puts it right", architecture, t.Name())
}

// TestTheTableRunsDown: a package imports only those that stand below it in the table, which
// is so the picture of the floors.
func TestTheTableRunsDown(t *testing.T) {
	text, err := os.ReadFile(architecture)
	require.NoError(t, err)
	there, floor := packages(t), make(map[string]int)
	for line := range strings.Lines(string(text)) {
		if cells := row.FindStringSubmatch(strings.TrimSuffix(line, "\n")); cells != nil {
			for _, name := range quoted(cells[1]) {
				floor[name] = len(floor)
			}
		}
	}
	require.NotEmpty(t, floor)
	for name, imports := range there {
		for _, imported := range imports {
			require.Less(t, floor[name], floor[imported], "%s imports %s, which stands above it", name, imported)
		}
	}
}

func TestEveryPackageHasADoc(t *testing.T) {
	for name := range packages(t) {
		require.NotEmpty(t, sentence(t, name), "package %s", name)
	}
}

func TestNoPackageIsCrowded(t *testing.T) {
	files := make(map[string]int)
	for file := range sources(t) {
		if !strings.HasSuffix(file, "_test.go") {
			files[path.Dir(file)]++
		}
	}
	for name, number := range files {
		require.LessOrEqual(t, number, maxFiles, "files of package %s", name)
	}
}

// opening is how a package's doc begins, before what it says.
var opening = regexp.MustCompile(`^(Package|Command) \S+ (is )?`)

// sentence is the first one of a package's doc, without its name.
func sentence(t *testing.T, name string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(name, "*.go"))
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
		require.NoError(t, err)
		if parsed.Doc != nil && opening.MatchString(parsed.Doc.Text()) {
			said := new(doc.Package).Synopsis(parsed.Doc.Text())
			return strings.TrimRight(opening.ReplaceAllString(said, ""), ".:")
		}
	}
	return ""
}

func isDirectory(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}
