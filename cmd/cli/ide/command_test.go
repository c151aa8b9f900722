package ide

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/output"
)

// TestExamplesAreWhatIDEWrites: the editors' files in examples.
func TestExamplesAreWhatIDEWrites(t *testing.T) {
	examples, err := filepath.Abs("../../../examples")
	require.NoError(t, err)
	there := editorsFiles(t, examples)
	require.Len(t, there, 2+3*3)

	t.Chdir(t.TempDir())
	args := map[string][]string{"service-front": {"-listen", "localhost:8080"}}
	for _, service := range []string{"service-front", "service-middle", "service-middle-node"} {
		require.NoError(t, os.CopyFS(service, os.DirFS(filepath.Join(examples, service))))
		editors := map[string]func(string, Target) ([]Change, error){"vscode": VSCode, "jetbrains": JetBrains}
		for editor, files := range editors {
			var out bytes.Buffer
			o := &options{file: service + "/devtun.yaml", folder: ".", args: args[service], devtun: "devtun"}
			require.NoError(t, run(t.Context(), o, editor, output.Streams{Out: &out}, files))
			require.NotContains(t, out.String(), "unchanged")
			out.Reset()
			require.NoError(t, run(t.Context(), o, editor, output.Streams{Out: &out}, files))
			for line := range strings.Lines(out.String()) {
				require.True(t, strings.HasPrefix(line, "unchanged "), line)
			}
		}
	}
	written := editorsFiles(t, ".")
	require.Len(t, written, len(there))
	for path, text := range written {
		require.Equal(t, text, there[path], path)
	}
}

// editorsFiles are those below a folder, by path.
func editorsFiles(t *testing.T, folder string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, of := range []string{".vscode", ".run"} {
		require.NoError(t,
			filepath.WalkDir(filepath.Join(folder, of), func(path string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() {
					return err
				}
				text, err := os.ReadFile(path)
				found[of+"/"+entry.Name()] = string(text)
				return err
			}))
	}
	return found
}
