package ide

import (
	"path/filepath"
)

// Target is what is to be debugged, and with which session of devtun.
type Target struct {
	Session string // its name
	// Project is the project file, Program what is debugged (see Language), EnvFile
	// where the container's environment is written to, "" for nowhere. All are relative
	// to the folder that the editor has open, with slashes, or absolute.
	Project, Program, EnvFile string
	Language                  Language
	Args                      []string // the program's; none: as they are
	Devtun                    string   // the command as the editor finds it: its name, or its path
}

func (t Target) up() string   { return "devtun up " + t.Session }
func (t Target) down() string { return "devtun down " + t.Session }
func (t Target) debug() string {
	return t.Session + ", with devtun"
}

// VSCode is what makes F5 in VS Code debug the target: in folder, which it has open.
func VSCode(folder string, t Target) ([]Change, error) {
	tasks, err := change(filepath.Join(folder, ".vscode", "tasks.json"), func(before []byte) ([]byte, error) {
		return merge(before, object{{"version", "2.0.0"}}, []entry{upTask(t), downTask(t)})
	})
	if err != nil {
		return nil, err
	}
	launch, err := change(filepath.Join(folder, ".vscode", "launch.json"), func(before []byte) ([]byte, error) {
		return merge(before, object{{"version", "0.2.0"}}, []entry{launch(t)})
	})
	if err != nil {
		return nil, err
	}
	return []Change{tasks, launch}, nil
}

// starter is who the tasks say has started the session: one that somebody else has
// started is not ended by F5.
const starter = "vscode"

// upTask is over, for what comes after it, when all is ready. A line that ends the
// waiting is never taken for a problem, so an error must not: VS Code goes by the
// problem that it makes of it then, and does not start the debugger.
//
// The first matcher that fits is the one: an error about an entry of the project file leads
// there. What a shell says is the last two's.
//
// It is a task of type shell, since it is the shell that says if it does not find devtun,
// which is a problem, too. F5 waits for ever for one of type process that is not found.
func upTask(t Target) entry {
	return entry{list: "tasks", key: "label",
		must: object{
			{"label", t.up()},
			{"type", "shell"},
			{"command", t.Devtun},
			{"args", []string{"up", "-f", inFolder(t.Project), "--plain", "--started-by", starter}},
			{"isBackground", true},
			{"problemMatcher", []object{
				matcher(object{
					{"regexp", `^devtun: error: (.+?):(\d+):(\d+): (.*)$`},
					{"file", 1}, {"line", 2}, {"column", 3}, {"message", 4},
				}, hint),
				matcher(object{
					{"regexp", "^(devtun): error: (.*)$"}, {"kind", "file"}, {"file", 1}, {"message", 2},
				}, hint),
				matcher(object{
					{"regexp", `^((?:\S*/)?(\w*sh):.*(?:not found|[Nn]o such file|[Uu]nknown command).*)$`},
					{"kind", "file"}, {"message", 1}, {"file", 2},
				}),
				matcher(object{
					{"regexp", `^(.*'(\S*devtun\S*)' is not recognized.*)$`}, {"kind", "file"}, {"message", 1}, {"file", 2},
				}),
			}},
		},
		may: object{{"presentation", object{{"reveal", "silent"}, {"revealProblems", "onProblem"}, {"panel", "dedicated"}}}},
	}
}

// hint is the line behind that of an error: 'devtun up' says one with each.
var hint = object{{"regexp", "^(hint: .*)$"}, {"message", 1}}

// matcher makes one problem of the lines that fit the patterns, one after another.
func matcher(patterns ...object) object {
	return object{
		{"owner", "devtun"},
		{"source", "devtun"},
		{"fileLocation", []string{"autoDetect", "${workspaceFolder}"}},
		{"pattern", patterns},
		{"background", object{
			{"activeOnStart", true}, {"beginsPattern", "^devtun: starting"}, {"endsPattern", "^devtun: ready"},
		}},
	}
}

func downTask(t Target) entry {
	return entry{list: "tasks", key: "label",
		must: object{
			{"label", t.down()},
			{"type", "shell"},
			{"command", t.Devtun},
			{"args", []string{"down", t.Session, "--started-by", starter}},
			{"problemMatcher", []string{}},
		},
		may: object{{"presentation", object{{"reveal", "silent"}, {"panel", "shared"}}}},
	}
}

// inFolder is a path as VS Code wants it.
func inFolder(path string) string {
	switch {
	case filepath.IsAbs(path):
		return path
	case path == ".":
		return "${workspaceFolder}"
	}
	return "${workspaceFolder}/" + path
}
