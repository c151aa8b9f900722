//go:build soak

package e2e

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/e2e/vscode"
)

// The tests of this file press F5 in the real VS Code, on a program in JavaScript, whose
// debugger comes with it.

// scene is service-middle-node, open in VS Code, and a cluster.
type scene struct {
	*namespace
	folder string
	home   string
	env    []string
	*vscode.Editor
}

// newScene makes the editor's files as a user does, whose login shell finds devtun in a
// folder that is the test's.
func newScene(t *testing.T) *scene {
	t.Helper()
	n := newNamespace(t).chain().testserver("client", 1)
	s := &scene{namespace: n, folder: filepath.Join(t.TempDir(), "service-middle-node"), home: t.TempDir()}
	require.NoError(t, os.CopyFS(s.folder, os.DirFS("../examples/service-middle-node")))
	s.project("\nnamespace: demo\n", "\nnamespace: "+n.name+"\n")
	require.NoError(t, os.Mkdir(filepath.Join(s.home, "bin"), 0o755))
	s.inPath(true)
	path := filepath.Join(s.home, "bin") + ":/usr/local/bin:/usr/bin:/bin"
	for _, name := range []string{".profile", ".bashrc"} {
		require.NoError(t, os.WriteFile(filepath.Join(s.home, name), []byte("export PATH="+path+"\n"), 0o600))
	}
	s.env = append(os.Environ(), "KUBECONFIG="+kubeconfig(), "XDG_RUNTIME_DIR="+runtimeDir(t), "PATH="+path,
		"SHELL=/bin/bash", "HOME="+s.home, "TMPDIR="+t.TempDir())
	return s
}

// inPath says whether the shell finds devtun.
func (s *scene) inPath(is bool) {
	s.t.Helper()
	link := filepath.Join(s.home, "bin", "devtun")
	if is {
		require.NoError(s.t, os.Symlink(devtunPath(), link))
		return
	}
	require.NoError(s.t, os.Remove(link))
}

// project changes the project file.
func (s *scene) project(from, to string) {
	s.t.Helper()
	path := filepath.Join(s.folder, "devtun.yaml")
	text, err := os.ReadFile(path)
	require.NoError(s.t, err)
	require.Contains(s.t, string(text), from)
	require.NoError(s.t, os.WriteFile(path, []byte(strings.Replace(string(text), from, to, 1)), 0o600))
}

// devtun runs it in a terminal beside the editor.
func (s *scene) devtun(args ...string) string {
	s.t.Helper()
	cmd := exec.Command(devtunPath(), args...)
	cmd.Dir, cmd.Env = s.folder, s.env
	out, err := cmd.CombinedOutput()
	require.NoError(s.t, err, string(out))
	return string(out)
}

// open opens the folder in the editor, which is closed with the test.
func (s *scene) open() *scene {
	s.t.Helper()
	var log bytes.Buffer
	var err error
	s.Editor, err = vscode.Open(s.t.Context(), vscode.Options{Folder: s.folder, File: "server.js", Home: s.home,
		Env: s.env, Log: &log})
	require.NoError(s.t, err, log.String())
	s.t.Cleanup(func() {
		if s.t.Failed() {
			shot := filepath.Join(os.TempDir(), s.t.Name()+".png")
			if err := s.Picture(s.t.Context(), shot); err == nil {
				s.t.Logf("what was seen: %s", shot)
			}
		}
		err := s.Close()
		if s.t.Failed() {
			s.t.Logf("the editor said:\n%s", log.String())
		}
		require.NoError(s.t, err)
	})
	return s
}

func (s *scene) press(keys ...string) {
	s.t.Helper()
	for _, key := range keys {
		require.NoError(s.t, s.Press(s.t.Context(), key))
	}
}

// sees waits for text in what the selector fits.
func (s *scene) sees(selector, text string) {
	s.t.Helper()
	texts, err := s.Wait(s.t.Context(), selector, text)
	require.NoError(s.t, err, strings.Join(texts, "\n"))
}

func (s *scene) click(selector, text string) {
	s.t.Helper()
	require.NoError(s.t, s.Click(s.t.Context(), selector, text, false))
}

// breakpoint sets one at the line that has mark in it.
func (s *scene) breakpoint(mark string) {
	s.t.Helper()
	line := lineOf(s.t, filepath.Join(s.folder, "server.js"), mark)
	s.press("Control+G")
	require.NoError(s.t, s.Type(s.t.Context(), ":"+strconv.Itoa(line)))
	s.press("Enter")
	require.NoError(s.t, s.Breakpoint(s.t.Context()))
}

// debugs waits until the program here takes the cluster's requests.
func (s *scene) debugs() {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		snapshot, ok := s.session()
		return ok && len(snapshot.Intercepts) == 1 && len(snapshot.Intercepts[0].Routes) > 0 &&
			snapshot.Intercepts[0].Routes[0].To == "developer"
	}, 2*time.Minute, 100*time.Millisecond, "the cluster's requests do not come here")
}

// program is the process that is debugged, as /proc has it; "" if there is none.
func (s *scene) program() string {
	processes, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(s.t, err)
	for _, process := range processes {
		folder, _ := os.Readlink(filepath.Join(process, "cwd")) // a process that has gone has none
		words, _ := os.ReadFile(filepath.Join(process, "cmdline"))
		if folder == s.folder && strings.Contains(string(words), "server.js") {
			return process
		}
	}
	return ""
}

// session is that of the project, if it runs.
func (s *scene) session() (snapshot status.Snapshot, ok bool) {
	cmd := exec.Command(devtunPath(), "status", "service-middle-node", "-o", "json")
	cmd.Dir, cmd.Env = s.folder, s.env
	out, err := cmd.Output()
	return snapshot, err == nil && json.Unmarshal(out, &snapshot) == nil
}

// stops has a request of the cluster stop at the breakpoint, and go on.
func (s *scene) stops() {
	s.t.Helper()
	request := s.ask("client", "http://service-front/")
	s.sees(".debug-call-stack", "Paused on breakpoint")
	s.sees(".debug-variables", "answered by service-back on service-back-")
	s.press("F5")
	here, err := os.Hostname()
	require.NoError(s.t, err)
	require.Contains(s.t, request.answer(s.t), "service-middle on "+here+"\n")
}

// ended waits until nothing of the session is left.
func (s *scene) ended(hosts string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		_, runs := s.session()
		return !runs
	}, time.Minute, 100*time.Millisecond, "the session goes on")
	require.NoFileExists(s.t, filepath.Join(s.folder, ".env"))
	require.Equal(s.t, hosts, hostsFile(s.t))
	s.noAgents()
	conn, err := net.Dial("tcp", "localhost:9090")
	if err == nil {
		conn.Close()
	}
	require.Error(s.t, err, "the program has ended")
}

// TestSoakVSCode: what F5 does, and what it says where it does not start the debugger.
//
//e2e:vscode
func TestSoakVSCode(t *testing.T) {
	s := newScene(t)
	hosts := hostsFile(t)
	tasks := filepath.Join(s.folder, ".vscode", "tasks.json")
	s.inPath(false)
	require.Contains(t, s.devtun("ide", "vscode"), "warning: the editor may not find devtun")
	text, err := os.ReadFile(tasks)
	require.NoError(t, err)
	require.Contains(t, string(text), `"command": "`+devtunPath()+`"`)
	s.inPath(true)
	require.NotContains(t, s.devtun("ide", "vscode"), "warning")
	s.project("workload: service-middle", "workload: service-midle")
	s.inPath(false)
	s.open()
	s.breakpoint("a breakpoint here")

	// F5 does not wait for ever for a devtun that is not there.
	s.refuses("devtun: command not found")
	s.inPath(true)

	// What is wrong leads to its line, and says what to do.
	s.refuses("did you mean service-middle?")
	s.sees(".markers-panel .monaco-list-row", `no Service or workload "service-midle"`)
	line := strconv.Itoa(lineOf(t, filepath.Join(s.folder, "devtun.yaml"), "workload: service-midle"))
	s.sees(".markers-panel .monaco-list-row", "[Ln "+line+", Col 15]")
	require.NoError(t, s.Click(t.Context(), ".markers-panel .monaco-list-row", "service-midle", true))
	s.sees(".tab.active", "devtun.yaml")
	s.sees(".statusbar-item", "Ln "+line+", Col 15")
	s.ended(hosts)
	s.project("workload: service-midle", "workload: service-middle")

	// A request of the cluster stops at a breakpoint, also after a restart.
	s.debug()
	s.stops()
	before := s.program()
	s.press("Control+Shift+F5")
	require.Eventually(t, func() bool { is := s.program(); return is != "" && is != before }, time.Minute, pollEvery,
		"the program is started anew")
	s.debugs()
	s.stops()
	s.press("Shift+F5")
	s.ended(hosts)
	require.Contains(t, s.ask("client", "http://service-front/").answer(t), "service-middle on service-middle-",
		"the service's own pods answer")

	// What somebody has started by hand goes on.
	s.devtun("up", "--detach")
	s.debug()
	s.stops()
	s.press("Shift+F5")
	require.NoError(t, s.Gone(t.Context(), ".debug-toolbar"))
	require.Never(t, func() bool {
		_, runs := s.session()
		return !runs
	}, 5*time.Second, time.Second, "the task after the debugger ends it")
	s.devtun("down")
	s.ended(hosts)
}

// debug presses F5, and waits until the cluster's requests come to the program.
func (s *scene) debug() {
	s.t.Helper()
	s.press("F5")
	s.debugs()
}

// refuses presses F5, which asks what to do about a problem, and has that shown.
func (s *scene) refuses(problem string) {
	s.t.Helper()
	s.press("F5")
	s.sees(".monaco-dialog-box", "after running preLaunchTask 'devtun up service-middle-node'")
	s.click(".monaco-dialog-box .monaco-button", "Show Errors")
	s.sees(".markers-panel .monaco-list-row", problem)
}
