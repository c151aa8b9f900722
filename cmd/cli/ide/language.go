package ide

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/devtun/devtun/cmd/cli/problem"
)

// Language is what the program is written in, as far as its debugger is known here.
type Language string

const (
	Go     Language = "Go"         // the program is a folder with a main package
	Python Language = "Python"     // a file
	Node   Language = "JavaScript" // a file
	Other  Language = ""           // what there is: a file or a folder
)

// extensions are those of files that are programs.
var extensions = map[string]Language{
	".py": Python, ".js": Node, ".mjs": Node, ".cjs": Node, ".ts": Node, ".mts": Node, ".cts": Node,
}

// programIn finds out what the program at a path is written in, and the file to start,
// which may be below that path.
func programIn(path string) (string, Language, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", Other, problem.Usage("name it with --program: a folder, or a file", "find the program: %w", err)
	}
	if !info.IsDir() {
		return path, extensions[filepath.Ext(path)], nil
	}
	if sources, err := filepath.Glob(filepath.Join(path, "*.go")); err == nil && len(sources) > 0 {
		return path, Go, nil
	}
	text, err := os.ReadFile(filepath.Join(path, "package.json"))
	if err != nil {
		return path, Other, nil
	}
	main := startOf(path, text)
	if main == "" {
		return "", Other, problem.Usage("name the file that starts it, with --program",
			"%s does not say which file is the program", filepath.Join(path, "package.json"))
	}
	return filepath.Join(path, main), Node, nil
}

var nodeStart = regexp.MustCompile(`^node (?:-\S+ )*([^-\s]\S*)`)

// startOf is the file that a package of Node starts with: what 'npm start' runs, or else
// its main module, or else what npm and Node take without a word; "" if it is not there.
func startOf(folder string, manifest []byte) string {
	var said struct {
		Main    string
		Scripts struct{ Start string }
	}
	_ = json.Unmarshal(manifest, &said) // what cannot be read says nothing
	candidates := []string{said.Main, "server.js", "index.js"}
	if found := nodeStart.FindStringSubmatch(said.Scripts.Start); found != nil {
		candidates = slices.Insert(candidates, 0, found[1])
	}
	for _, name := range candidates {
		for _, name := range []string{name, name + ".js"} {
			info, err := os.Stat(filepath.Join(folder, name))
			if err == nil && info.Mode().IsRegular() {
				return filepath.Clean(name)
			}
		}
	}
	return ""
}
