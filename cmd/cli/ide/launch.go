package ide

import "path"

// launch is the configuration of F5: the language's own debugger, and the tasks before
// and after it.
func launch(t Target) entry {
	e := entry{list: "configurations", key: "name", must: object{{"name", t.debug()}}}
	starts, asYouLike := debugged(t)
	e.must, e.may = append(e.must, starts...), asYouLike
	if len(t.Args) > 0 {
		e.must = append(e.must, member{"args", t.Args})
	}
	if t.EnvFile != "" {
		e.must = append(e.must, member{"envFile", inFolder(t.EnvFile)}, member{"env", own})
	}
	e.must = append(e.must, member{"preLaunchTask", t.up()}, member{"postDebugTask", t.down()})
	return e
}

// debugged is how the language's debugger starts the program, and what of it the user may
// change.
//
// The console is the debugger's own: to start a program in the integrated terminal, a
// debugger types its environment there, and that holds Secrets.
func debugged(t Target) (must, may object) {
	program := member{"program", inFolder(t.Program)}
	console := member{"console", "internalConsole"}
	switch t.Language {
	case Go:
		return object{{"type", "go"}, {"request", "launch"}, {"mode", "debug"}, program}, nil
	case Python:
		return object{{"type", "debugpy"}, {"request", "launch"}, program}, object{console}
	case Node:
		return object{{"type", "node"}, {"request", "launch"}, program}, object{
			{"cwd", inFolder(path.Dir(t.Program))}, console, {"skipFiles", []string{"<node_internals>/**"}},
		}
	}
	return nil, object{
		{note, "put here what your debugger needs: type (java, coreclr, lldb, php, ...), program and the like;"},
		{note, "no console in the terminal: the container's environment would be shown there"},
		{"type", ""}, {"request", "launch"},
	}
}

// own goes over what the file says, which is the container's environment, whole: with
// PATH and HOME of the container the debugger does not find the compiler.
var own = partly{object{{"PATH", "${env:PATH}"}, {"HOME", "${env:HOME}"}}}
