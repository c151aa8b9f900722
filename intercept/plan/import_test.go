package plan

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestImports keeps the package to the standard library, and the packages claim and
// pause, which keep to that as well: the agent links it.
func TestImports(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			if !slices.Contains([]string{"intercept/claim", "internal/pause"},
				strings.TrimPrefix(imported, "github.com/devtun/devtun/")) {
				require.NotContains(t, imported, ".", name)
			}
		}
	}
}
