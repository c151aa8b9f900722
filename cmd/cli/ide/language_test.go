package ide

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
)

// TestProgramIn: what a folder's or file's program is, and which file starts it.
func TestProgramIn(t *testing.T) {
	for name, c := range map[string]struct {
		files, path string
		program     string
		language    Language
		refused     string
	}{
		"Go":                {"-- main.go --", ".", ".", Go, ""},
		"Go, and a package": {"-- main.go --\n-- package.json --\n{}", ".", ".", Go, ""},
		"Python":            {"-- app.py --", "app.py", "app.py", Python, ""},
		"JavaScript":        {"-- app.mjs --", "app.mjs", "app.mjs", Node, ""},
		"what npm starts": {"-- package.json --\n{\"main\": \"lib.js\", \"scripts\": {\"start\": \"node " +
			"--enable-source-maps src/app.js\"}}\n-- lib.js --\n-- src/app.js --", ".", "src/app.js", Node, ""},
		"main, without .js": {"-- package.json --\n{\"main\": \"./lib/app\"}\n-- lib/app.js --", ".", "lib/app.js", Node,
			""},
		"server.js": {"-- package.json --\n{\"scripts\": {\"start\": \"next start\"}}\n-- server.js --\n-- " +
			"index.js --", ".", "server.js", Node, ""},
		"no word": {"-- package.json --\nno JSON\n", ".", "", Other,
			"package.json does not say which file is the program"},
		"another language":     {"-- pom.xml --", ".", ".", Other, ""},
		"a file of another":    {"-- app.rb --", "app.rb", "app.rb", Other, ""},
		"nothing of that name": {"", "nowhere", "", Other, "find the program: stat nowhere: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for _, file := range txtar.Parse([]byte(c.files + "\n")).Files {
				require.NoError(t, os.MkdirAll(filepath.Dir(file.Name), 0o755))
				require.NoError(t, os.WriteFile(file.Name, file.Data, 0o600))
			}
			program, language, err := programIn(c.path)
			if c.refused != "" {
				require.ErrorContains(t, err, c.refused)
				return
			}
			require.NoError(t, err)
			require.Equal(t, filepath.FromSlash(c.program), program)
			require.Equal(t, c.language, language)
		})
	}
}
