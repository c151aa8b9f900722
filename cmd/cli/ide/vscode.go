package ide

import (
	"path/filepath"
)

// Target is what is to be debugged, and with which session of devtun.
type Target struct {
	Session string // its name
	// Project is the project file, Program what is debugged (a folder of Go, or a
	// file of Python), EnvFile where the container's environment is written to, ""
	// for nowhere. All are relative to the folder that the editor has open, with
	// slashes, or absolute.
	Project, Program, EnvFile string
	Args                      []string // the program's; none: as they are
	Python                    bool
}

func (t Target) up() string   { return "devtun up " + t.Session }
func (t Target) down() string { return "devtun down " + t.Session }

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

// upTask is over, for what comes after it, when all is ready. A line that ends the
// waiting is never taken for a problem, so an error must not: VS Code goes by the
// problem that it makes of it then, and does not start the debugger.
func upTask(t Target) entry {
	return entry{list: "tasks", key: "label",
		must: object{
			{"label", t.up()},
			{"type", "process"},
			{"command", "devtun"},
			{"args", []string{"up", "-f", inFolder(t.Project), "--plain"}},
			{"isBackground", true},
			{"problemMatcher", object{
				{"owner", "devtun"},
				{"source", "devtun"},
				{"fileLocation", []string{"relative", "${workspaceFolder}"}},
				{"pattern", object{
					{"regexp", "^(devtun): (error): (.*)$"}, {"kind", "file"}, {"file", 1}, {"severity", 2}, {"message", 3},
				}},
				{"background", object{
					{"activeOnStart", true}, {"beginsPattern", "^devtun: starting"}, {"endsPattern", "^devtun: ready"},
				}},
			}},
		},
		may: object{{"presentation", object{{"reveal", "silent"}, {"revealProblems", "onProblem"}, {"panel", "dedicated"}}}},
	}
}

func downTask(t Target) entry {
	return entry{list: "tasks", key: "label",
		must: object{
			{"label", t.down()},
			{"type", "process"},
			{"command", "devtun"},
			{"args", []string{"down", t.Session}},
			{"problemMatcher", []string{}},
		},
		may: object{{"presentation", object{{"reveal", "silent"}, {"panel", "shared"}}}},
	}
}

func launch(t Target) entry {
	e := entry{list: "configurations", key: "name", must: object{{"name", t.Session + ", with devtun"}}}
	if t.Python {
		e.must = append(e.must, member{"type", "debugpy"}, member{"request", "launch"},
			member{"program", inFolder(t.Program)})
		e.may = object{{"console", "integratedTerminal"}}
	} else {
		e.must = append(e.must, member{"type", "go"}, member{"request", "launch"}, member{"mode", "debug"},
			member{"program", inFolder(t.Program)})
	}
	if len(t.Args) > 0 {
		e.must = append(e.must, member{"args", t.Args})
	}
	if t.EnvFile != "" {
		e.must = append(e.must, member{"envFile", inFolder(t.EnvFile)}, member{"env", own})
	}
	e.must = append(e.must, member{"preLaunchTask", t.up()}, member{"postDebugTask", t.down()})
	return e
}

// own goes over what the file says, which is the container's environment, whole: with
// PATH and HOME of the container the debugger does not find the compiler.
var own = partly{object{{"PATH", "${env:PATH}"}, {"HOME", "${env:HOME}"}}}

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
