// Package docs_test holds what is true of the pages: that links lead somewhere, and
// that messages are those of the program.
package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	link    = regexp.MustCompile(`\]\(([^)#\s]*)(?:#([^)\s]+))?\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	noWord  = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// anchors are those that a page's headings make, as GitHub makes them.
func anchors(text string) []string {
	var all []string
	for _, h := range heading.FindAllStringSubmatch(text, -1) {
		all = append(all, strings.ReplaceAll(noWord.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-"))
	}
	return all
}

// pages are all pages of the repository, by path from here.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, pattern := range []string{"../README.md", "../CHANGELOG.md", "../CONTRIBUTING.md", "*.md", "reference/*.md",
		"../examples/*.md"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files, pattern)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			all[file] = string(text)
		}
	}
	return all
}

func TestLinksLeadSomewhere(t *testing.T) {
	for file, text := range pages(t) {
		for _, to := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(to[1], "://") {
				continue
			}
			target := file
			if to[1] != "" {
				target = filepath.Join(filepath.Dir(file), to[1])
			}
			found, err := os.ReadFile(target)
			if info, statErr := os.Stat(target); statErr == nil && info.IsDir() {
				continue
			}
			require.NoError(t, err, "%s links to it", file)
			if to[2] != "" {
				require.Contains(t, anchors(string(found)), to[2], "%s links to %s", file, target)
			}
		}
	}
}

// literals are all texts in the program's source.
func literals(t *testing.T) (all []string) {
	t.Helper()
	for _, part := range []string{"cmd", "dns", "intercept", "tunnel"} {
		folder := filepath.Join("..", part)
		require.NoError(t, filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if text, is := literal(n); is {
					all = append(all, text)
					return false
				}
				return true
			})
			return nil
		}))
	}
	return all
}

// literal is the text of a string, or of several that are put together.
func literal(n ast.Node) (text string, is bool) {
	switch n := n.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(n.Value)
		return text, n.Kind == token.STRING && err == nil
	case *ast.BinaryExpr:
		left, isLeft := literal(n.X)
		right, isRight := literal(n.Y)
		return left + right, n.Op == token.ADD && isLeft && isRight
	}
	return "", false
}

// verb is what fmt puts something for, in place of which a page has "…".
var verb = regexp.MustCompile(`%[+#.0-9]*[a-z]`)

func TestMessagesAreTheProgrammes(t *testing.T) {
	text := pages(t)["troubleshooting.md"]
	said := make(map[string]bool)
	for _, literal := range literals(t) {
		said[strings.ReplaceAll(verb.ReplaceAllString(strings.ReplaceAll(literal, "%q", `"%s"`), "…"), "%%", "%")] = true
	}
	messages := regexp.MustCompile("(?m)^### `(.+)`$").FindAllStringSubmatch(text, -1)
	require.Greater(t, len(messages), 20)
	for _, m := range messages {
		require.True(t, isSaid(m[1], said), "no text of the program is %q", m[1])
	}
}

// isSaid reports that a text of the program is the message, or begins with it where
// that ends in "…".
func isSaid(message string, said map[string]bool) bool {
	if said[message] {
		return true
	}
	beginning, open := strings.CutSuffix(message, "…")
	for text := range said {
		if open && strings.HasPrefix(text, beginning) {
			return true
		}
	}
	return false
}
