package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tailscale/hujson"
)

// editor does with the files of a folder what VS Code does.
type editor struct {
	t      *testing.T
	folder string
	env    []string // that it was started with
}

// task is one of tasks.json.
type task struct {
	Label, Type, Command string
	Args                 []string
	IsBackground         bool
	ProblemMatcher       json.RawMessage // an object, or an empty list for none
}

// matcher is one of a task's problemMatcher. Its patterns are for lines one after another.
type matcher struct {
	Pattern []struct {
		Regexp, Kind                string
		File, Line, Column, Message int // numbers of groups
	}
	Background struct {
		ActiveOnStart              bool
		BeginsPattern, EndsPattern string
	}
}

// read reads a JSON file of the editor's, with comments and variables.
func (e *editor) read(name string, into any) {
	e.t.Helper()
	text, err := os.ReadFile(filepath.Join(e.folder, ".vscode", name))
	require.NoError(e.t, err)
	text, err = hujson.Standardize(text)
	require.NoError(e.t, err)
	folder, err := json.Marshal(e.folder)
	require.NoError(e.t, err)
	text = []byte(strings.ReplaceAll(string(text), "${workspaceFolder}", strings.Trim(string(folder), `"`)))
	text = regexp.MustCompile(`\$\{env:\w+\}`).ReplaceAllFunc(text, func(variable []byte) []byte {
		value, err := json.Marshal(os.Getenv(string(variable[len("${env:") : len(variable)-1])))
		require.NoError(e.t, err)
		return value[1 : len(value)-1]
	})
	require.NotContains(e.t, string(text), "${", "a variable that this editor does not know")
	require.NoError(e.t, json.Unmarshal(text, into))
}

func (e *editor) task(label string) task {
	e.t.Helper()
	var file struct{ Tasks []task }
	e.read("tasks.json", &file)
	for _, one := range file.Tasks {
		if one.Label == label {
			require.Equal(e.t, "shell", one.Type)
			return one
		}
	}
	require.FailNow(e.t, "there is no task", label)
	return task{}
}

// configuration is one of launch.json, as it stands.
func (e *editor) configuration(name string) map[string]any {
	e.t.Helper()
	var file struct{ Configurations []map[string]any }
	e.read("launch.json", &file)
	for _, one := range file.Configurations {
		if one["name"] == name {
			return one
		}
	}
	require.FailNow(e.t, "there is no configuration", name)
	return nil
}

// start starts a task in a terminal.
func (e *editor) start(one task) *terminal {
	e.t.Helper()
	cmd := exec.Command(bed.Program(one.Command), one.Args...) // in PATH, for the editor
	cmd.Dir, cmd.Env = e.folder, e.env
	return inTerminal(e.t, cmd)
}

// run runs a task to its end, which is to be success.
func (e *editor) run(label string) {
	e.t.Helper()
	one := e.task(label)
	require.False(e.t, one.IsBackground)
	require.JSONEq(e.t, "[]", string(one.ProblemMatcher))
	e.start(one).awaitEnd()
}

// problem is what a matcher makes of lines: "FILE:LINE:COLUMN" or "FILE", and all messages.
type problem struct{ place, message string }

// match is the problem that the end of lines is, if it is one.
func (m matcher) match(lines []string) (p problem, ok bool) {
	n := len(m.Pattern)
	if len(lines) < n {
		return p, false
	}
	for i, pattern := range m.Pattern {
		found := regexp.MustCompile(pattern.Regexp).FindStringSubmatch(lines[len(lines)-n+i])
		if found == nil {
			return p, false
		}
		if pattern.File > 0 {
			p.place = found[pattern.File]
			if pattern.Kind != "file" { // else VS Code wants a line number
				p.place += ":" + found[pattern.Line] + ":" + found[pattern.Column]
			}
		}
		p.message += found[pattern.Message] + "\n"
	}
	return p, true
}

// background starts a background task and waits until its matcher takes it for
// ready, or until it has ended; problems are what its matchers have found, of which the
// first that fits counts. A line that begins or ends the waiting is not looked at for
// problems, as in VS Code.
func (e *editor) background(label string) (run *terminal, problems []problem) {
	e.t.Helper()
	one := e.task(label)
	require.True(e.t, one.IsBackground)
	var matchers []matcher
	require.NoError(e.t, json.Unmarshal(one.ProblemMatcher, &matchers))
	waits := matchers[0].Background
	begins, ends := regexp.MustCompile(waits.BeginsPattern), regexp.MustCompile(waits.EndsPattern)
	run = e.start(one)
	active := waits.ActiveOnStart
	var lines []string
	run.each(2*time.Minute, func(line string) bool {
		lines = append(lines, line)
		switch {
		case !active && begins.MatchString(line):
			active, problems = true, nil
		case active && ends.MatchString(line):
			return true
		}
		for _, m := range matchers {
			if found, ok := m.match(lines); ok {
				problems = append(problems, found)
				break
			}
		}
		return false
	})
	return run, problems
}

// envFile reads an env file as the Go extension does: line by line.
func (e *editor) envFile(path string) map[string]string {
	e.t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(e.t, err, "the extension gives up without it")
	line := regexp.MustCompile(`^\s*(?:export\s+)?([\w.\-]+)\s*=\s*(.*?)\s*$`)
	variables := make(map[string]string)
	for each := range strings.Lines(string(text)) {
		if found := line.FindStringSubmatch(each); found != nil {
			variables[found[1]] = strings.Trim(found[2], `"'`)
		}
	}
	return variables
}

// debugging is a debugger at work, and the task that was started before it.
type debugging struct {
	*debugger
	editor  *editor
	session *terminal
	after   string            // label of the task that is run afterwards
	handed  map[string]string // environment from the file, and over it the configuration's
}

// debug is F5 with that configuration, and a breakpoint at the line that has mark in
// it. It fails if the task that comes before fails.
func (e *editor) debug(name, mark string) *debugging {
	e.t.Helper()
	config := e.configuration(name)
	d := &debugging{editor: e, after: config["postDebugTask"].(string)}
	var problems []problem
	d.session, problems = e.background(config["preLaunchTask"].(string))
	require.Empty(e.t, problems, d.session.said())
	require.Equal(e.t, "go", config["type"])
	if file, ok := config["envFile"].(string); ok { // the extension does this
		d.handed = e.envFile(file)
		own, _ := config["env"].(map[string]any)
		for name, value := range own {
			d.handed[name] = value.(string)
		}
		config["env"] = d.handed
		delete(config, "envFile")
	}
	program := config["program"].(string)
	source := filepath.Join(program, "main.go")
	d.debugger = startDebugger(e.t, program, e.env)
	d.launch(config, source, lineOf(e.t, source, mark))
	return d
}

// stop is Shift-F5.
func (d *debugging) stop() {
	d.editor.t.Helper()
	d.disconnect()
	d.editor.run(d.after)
	d.session.awaitEnd()
}

// lineOf is the number of the line in a file that has mark in it.
func lineOf(t *testing.T, file, mark string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	number := 0
	for i, line := range strings.Split(string(text), "\n") {
		if strings.Contains(line, mark) {
			require.Zero(t, number, "it is there twice")
			number = i + 1
		}
	}
	require.NotZero(t, number)
	return number
}

// openExamples opens a copy of examples in an editor: exactly its files, but for the
// namespace in the project files, which is the test's here.
func openExamples(t *testing.T, n *namespace) *editor {
	t.Helper()
	module := t.TempDir()
	folder := filepath.Join(module, "examples")
	require.NoError(t, os.CopyFS(folder, os.DirFS("../examples")))
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join("..", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(module, name), text, 0o600))
	}
	projects, err := filepath.Glob(filepath.Join(folder, "*", "devtun.yaml"))
	require.NoError(t, err)
	require.Len(t, projects, 4)
	for _, project := range projects {
		text, err := os.ReadFile(project)
		require.NoError(t, err)
		require.Contains(t, string(text), "\nnamespace: demo\n")
		require.NoError(t, os.WriteFile(project,
			[]byte(strings.Replace(string(text), "\nnamespace: demo\n", "\nnamespace: "+n.name+"\n", 1)), 0o600))
	}
	return &editor{t: t, folder: folder, env: append(os.Environ(), "KUBECONFIG="+kubeconfig(),
		"XDG_RUNTIME_DIR="+runtimeDir(t), "TERM=xterm-256color")}
}

// asked is a request from a pod of the cluster.
type asked struct {
	answered chan struct{} // closed when text and err are set
	text     string
	err      error
}

// ask sends a request to a service from the pod of a Deployment.
func (n *namespace) ask(deployment, url string) *asked {
	n.t.Helper()
	a := &asked{answered: make(chan struct{})}
	args := []string{"--kubeconfig", kubeconfig(), "exec", "-n", n.name, "deploy/" + deployment, "--", "/testserver",
		"get", url}
	program := kubectlPath(n.t)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(a.answered)
		a.text, a.err = run(ctx, 4*time.Minute, program, args...)
	}()
	n.t.Cleanup(func() {
		cancel()
		<-a.answered
		if n.t.Failed() {
			n.t.Logf("%s was answered: %s (%v)", url, a.text, a.err)
		}
	})
	return a
}

// answer waits for it.
func (a *asked) answer(t *testing.T) string {
	t.Helper()
	select {
	case <-a.answered:
	case <-time.After(time.Minute):
		require.FailNow(t, "no answer")
	}
	require.NoError(t, a.err, a.text)
	return a.text
}
