package devtun_test

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// maxColumns is how long a line may be; a tab is one.
const maxColumns = 119

// TestLinesAreUnder120Columns, in all modules. What stands between backquotes in a test
// is as it is: manifests, what a program says.
func TestLinesAreUnder120Columns(t *testing.T) {
	require.NoError(t, filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		name = filepath.ToSlash(name)
		if err != nil || entry.IsDir() && name != "." && strings.HasPrefix(entry.Name(), ".") {
			return skipOr(err)
		}
		if entry.IsDir() || path.Ext(name) != ".go" {
			return nil
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		asItIs := make(map[int]bool)
		if strings.HasSuffix(name, "_test.go") {
			asItIs = rawLines(source)
		}
		number := 0
		for line := range strings.Lines(string(source)) {
			number++
			if columns := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); columns > maxColumns && !asItIs[number] {
				t.Errorf("%s:%d has %d columns", name, number, columns)
			}
		}
		return nil
	}))
}

func skipOr(err error) error {
	if err != nil {
		return err
	}
	return fs.SkipDir
}

// rawLines are the lines of a source that raw strings are on.
func rawLines(source []byte) map[int]bool {
	lines := make(map[int]bool)
	var tokens scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(source))
	tokens.Init(file, source, nil, 0)
	for {
		at, kind, text := tokens.Scan()
		if kind == token.EOF {
			return lines
		}
		if kind == token.STRING && text[0] == '`' {
			for i := range 1 + strings.Count(text, "\n") {
				lines[file.Line(at)+i] = true
			}
		}
	}
}
