package ide

import (
	"path"
	"path/filepath"
	"strings"
)

const (
	shell         = "ShConfigurationType"
	goProgram     = "GoApplicationRunConfiguration"
	pythonProgram = "PythonConfigurationType"
	nodeProgram   = "NodeJSConfigurationType"
)

// JetBrains is what makes the debug button of a JetBrains IDE debug the target: in folder,
// the IDE's project. There is nothing in these IDEs that waits for a background process,
// nor anything that runs after the program: the session is detached, is kept from one run
// to the next, and ends with the IDE, or by the second configuration.
//
// For another language there are these two alone: its own configuration is the user's.
func JetBrains(folder string, t Target) ([]Change, error) {
	all := []configuration{upScript(t), downScript(t)}
	switch t.Language {
	case Go:
		all = append(all, goRun(t))
	case Python:
		all = append(all, pythonRun(t))
	case Node:
		all = append(all, nodeRun(t))
	}
	var changes []Change
	for _, c := range all {
		made, err := change(filepath.Join(folder, ".run", c.name+".run.xml"), c.merge)
		if err != nil {
			return nil, err
		}
		changes = append(changes, made)
	}
	return changes, nil
}

// upScript is run by a shell of which the IDE is the parent. It does not run in a
// terminal: the IDE waits for its end then, and minds its exit code.
func upScript(t Target) configuration {
	return script(t.up(), shellQuoted(t.Devtun)+` up -f `+shellQuoted(t.Project)+` --detach --ppid "$PPID"`)
}

func downScript(t Target) configuration {
	return script(t.down(), shellQuoted(t.Devtun)+" down "+t.Session)
}

func script(name, text string) configuration {
	return configuration{
		name: name, kind: shell,
		must: []setting{
			{"option", "SCRIPT_TEXT", text},
			{"option", "EXECUTE_SCRIPT_FILE", "false"},
			{"option", "EXECUTE_IN_TERMINAL", "false"},
		},
		may: []setting{
			{"option", "INDEPENDENT_SCRIPT_PATH", "true"},
			{"option", "SCRIPT_PATH", ""},
			{"option", "SCRIPT_OPTIONS", ""},
			{"option", "INDEPENDENT_SCRIPT_WORKING_DIRECTORY", "true"},
			{"option", "SCRIPT_WORKING_DIRECTORY", "$PROJECT_DIR$"},
			{"option", "INDEPENDENT_INTERPRETER_PATH", "true"},
			{"option", "INTERPRETER_PATH", "/bin/sh"},
			{"option", "INTERPRETER_OPTIONS", ""},
		},
		tail: "    <envs />\n",
	}
}

func goRun(t Target) configuration {
	c := configuration{
		name: t.debug(), kind: goProgram, attributes: ` factoryName="Go Application"`,
		must: []setting{
			{"kind", "", "DIRECTORY"},
			{"directory", "", inProject(t.Program)},
		},
		may:    []setting{{"working_directory", "", inProject(t.Program)}},
		before: []step{{t.up(), shell}},
	}
	if len(t.Args) > 0 {
		c.must = append(c.must, setting{"parameters", "", words(t.Args)})
	}
	if t.EnvFile != "" { // what the plugin EnvFile reads, as these IDEs do not by themselves
		c.tail = `    <EXTENSION ID="net.ashald.envfile">
      <option name="IS_ENABLED" value="true" />
      <option name="IS_SUBST" value="false" />
      <option name="IS_PATH_MACRO_SUPPORTED" value="false" />
      <option name="IS_IGNORE_MISSING_FILES" value="false" />
      <option name="IS_ENABLE_EXPERIMENTAL_INTEGRATIONS" value="false" />
      <ENTRIES>
        <ENTRY IS_ENABLED="true" PARSER="runconfig" IS_EXECUTABLE="false" />
        <ENTRY IS_ENABLED="true" PARSER="env" IS_EXECUTABLE="false" PATH="` + quoted(t.EnvFile) + `" />
      </ENTRIES>
    </EXTENSION>
`
	}
	return c
}

// pythonRun has PyCharm read the env file itself.
func pythonRun(t Target) configuration {
	c := configuration{
		name: t.debug(), kind: pythonProgram, attributes: ` factoryName="Python"`,
		must: []setting{{"option", "SCRIPT_NAME", inProject(t.Program)}},
		may: []setting{
			{"option", "WORKING_DIRECTORY", inProject(path.Dir(t.Program))},
			{"option", "PARENT_ENVS", "true"},
			{"option", "IS_MODULE_SDK", "true"},
			{"option", "EMULATE_TERMINAL", "false"},
		},
		before: []step{{t.up(), shell}},
	}
	if len(t.Args) > 0 {
		c.must = append(c.must, setting{"option", "PARAMETERS", words(t.Args)})
	}
	if t.EnvFile != "" {
		c.must = append(c.must, setting{"option", "ENV_FILES", inProject(t.EnvFile)})
	}
	return c
}

// nodeRun has Node read the env file itself: from 20.6 on it does.
func nodeRun(t Target) configuration {
	attribute := func(name, value string) string { return " " + name + `="` + quoted(value) + `"` }
	c := configuration{name: t.debug(), kind: nodeProgram, before: []step{{t.up(), shell}}}
	if len(t.Args) > 0 {
		c.attributes += attribute("application-parameters", words(t.Args))
	}
	c.attributes += attribute("path-to-node", "project")
	if t.EnvFile != "" {
		c.attributes += attribute("node-parameters", words([]string{"--env-file=" + inProject(t.EnvFile)}))
	}
	c.attributes += attribute("path-to-js-file", path.Base(t.Program)) +
		attribute("working-dir", inProject(path.Dir(t.Program)))
	return c
}

// inProject is a path as these IDEs want it.
func inProject(path string) string {
	switch {
	case filepath.IsAbs(path):
		return path
	case path == ".":
		return "$PROJECT_DIR$"
	}
	return "$PROJECT_DIR$/" + path
}

// words are arguments as these IDEs want them: one line, with quotes around what is
// not one word otherwise.
func words(args []string) string {
	var all []string
	for _, arg := range args {
		if arg == "" || strings.ContainsAny(arg, " \t\"") {
			arg = `"` + strings.ReplaceAll(arg, `"`, `\"`) + `"`
		}
		all = append(all, arg)
	}
	return strings.Join(all, " ")
}

// shellQuoted is a word of a shell's.
func shellQuoted(word string) string {
	if strings.ContainsFunc(word, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-", r))
	}) {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}
