package e2e

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false,
	"write what the commands of docs print into docs, but for what has a line of …")

// These tests do what the pages say, as a user whom sudo lets start the helper, and
// compare what is printed. A page's blocks of the kind "console" are run in order:
//
//	$ COMMAND     is run by bash, to its end; below it stands all that it prints
//	^C            ends the running command that was started last; below it stands what
//	              that has printed since
//	…             a line of its own: any number of lines
//
// In a block "console running" the command goes on running after what stands there, at
// most to the page's end.
// Addresses, pods, durations and the like may differ (alike says which). Where a page
// says demo, the test has a namespace of its own.
func TestDocsReadme(t *testing.T)            { readPage(t, "README.md") }
func TestDocsReachOneService(t *testing.T)   { readPage(t, "docs/reach-one-service.md") }
func TestDocsRunOneServiceHere(t *testing.T) { readPage(t, "docs/run-one-service-here.md") }
func TestDocsBeAService(t *testing.T)        { readPage(t, "docs/be-a-service.md") }
func TestDocsShareAService(t *testing.T)     { readPage(t, "docs/share-a-service.md") }
func TestDocsEvents(t *testing.T)            { readPage(t, "docs/events.md") }

func readPage(t *testing.T, page string) {
	n := newNamespace(t).examples()
	before, trace := hostsFile(t), n.trace()
	r := newReader(t, n)
	file := filepath.Join("..", page)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	lines := strings.Split(string(text), "\n")
	steps := parseSteps(lines)
	require.NotEmpty(t, steps)
	for _, s := range slices.Backward(r.follow(steps)) { // from the end: what follows keeps its place
		lines = slices.Replace(lines, s.from, s.to, s.printed...)
	}
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644))
	}
	require.Equal(t, before, hostsFile(t), "the machine is as it was")
	if strings.Contains(string(text), "$ devtun intercept") || strings.Contains(string(text), "--relay") {
		n.noAgents()
		n.asTraced(trace)
	}
}

// step is one command of a page, and what it prints there: the lines from, to.
type step struct {
	command  string // or interrupt
	running  bool
	from, to int
	want     []string
	printed  []string // if it differs
}

const interrupt = "^C"

// parseSteps finds the commands in a page.
func parseSteps(lines []string) (steps []*step) {
	var open *step
	inside, running := false, false
	for i, line := range lines {
		command, prompt := strings.CutPrefix(line, "$ ")
		switch {
		case !inside:
			running = line == "```console running"
			inside = running || line == "```console"
		case line == "```":
			inside, open = false, nil
		case prompt || line == interrupt:
			open = &step{command: command, running: running, from: i + 1, to: i + 1}
			steps = append(steps, open)
		case open != nil:
			open.want, open.to = append(open.want, line), i+1
		}
	}
	return steps
}

// reader does what a page says.
type reader struct {
	t       *testing.T
	n       *namespace
	user    *user
	host    string
	running []*typed
}

func newReader(t *testing.T, n *namespace) *reader {
	t.Helper()
	host, err := os.Hostname()
	require.NoError(t, err)
	r := &reader{t: t, n: n, user: newUser(t, helperRule), host: host}
	kubectl, err := exec.LookPath(kubectlPath(t))
	require.NoError(t, err)
	text, err := os.ReadFile(kubectl) // a copy: where it stands this user may not go
	require.NoError(t, err)
	r.user.write("bin/kubectl", string(text), 0o755)
	// The examples are compiled before, since the user has no Go of their own.
	for _, service := range []string{"service-front", "service-middle"} {
		_, err := run(t.Context(), 2*time.Minute, "go", "build", "-C", "../examples/"+service, "-o",
			r.user.path("bin/"+service), ".")
		require.NoError(t, err)
	}
	projects, err := filepath.Glob("../examples/*/devtun.yaml")
	require.NoError(t, err)
	for _, project := range projects {
		text, err := os.ReadFile(project)
		require.NoError(t, err)
		r.user.write(strings.TrimPrefix(project, "../"), strings.ReplaceAll(string(text), "namespace: demo",
			"namespace: "+n.name), 0o644)
	}
	t.Cleanup(func() {
		if t.Failed() { // the page has not come to where it ends its session
			r.start("devtun down").await(func() bool { return false })
		}
	})
	r.user.write("bin/go", "#!/bin/sh\nprogram=${2##*/}\nshift 2\nexec $program \"$@\"\n", 0o755)
	return r
}

// follow does all steps, and returns those whose output is to be written anew.
func (r *reader) follow(steps []*step) (changed []*step) {
	r.t.Helper()
	defer func() {
		for _, left := range slices.Backward(r.running) {
			left.end(syscall.SIGTERM)
		}
	}()
	for _, s := range steps {
		printed, ok := r.do(s)
		if ok && (!*update || slices.Contains(s.want, anything)) {
			continue
		}
		where := fmt.Sprintf("line %d: %s", s.from, s.command)
		require.True(r.t, *update, "%s\nis to print\n%s\nand prints\n%s", where, strings.Join(s.want, "\n"),
			strings.Join(printed, "\n"))
		s.printed = printed
		changed = append(changed, s)
	}
	return changed
}

// do does one step, and returns what it printed and whether it is what was wanted.
func (r *reader) do(s *step) (printed []string, ok bool) {
	r.t.Helper()
	switch {
	case s.command == interrupt:
		require.NotEmpty(r.t, r.running, "line %d: nothing runs", s.from)
		last := r.running[len(r.running)-1]
		r.running = r.running[:len(r.running)-1]
		last.end(syscall.SIGINT)
		printed = r.public(last.lines()[last.read:])
	case s.running:
		started := r.start(s.command)
		r.running = append(r.running, started)
		started.await(func() bool {
			all := r.public(started.lines())
			started.read = slices.IndexFunc(ends(len(all)), func(end int) bool { return r.same(s.want, all[:end]) })
			return started.read >= 0
		})
		if started.read >= 0 {
			return r.public(started.lines()[:started.read]), true
		}
		printed = r.public(started.lines())
		started.read = len(printed)
		select {
		case <-started.exited:
			require.Fail(r.t, "it ended", "line %d: %s\n%s", s.from, s.command, strings.Join(printed, "\n"))
		default:
		}
	default:
		started := r.start(s.command)
		started.await(func() bool { return false })
		failed := slices.ContainsFunc(s.want, func(line string) bool { return strings.HasPrefix(line, "devtun: error: ") })
		printed = r.public(started.lines())
		require.Equal(r.t, failed, started.err != nil, "line %d: %s: %v\n%s", s.from, s.command, started.err,
			strings.Join(printed, "\n"))
	}
	return printed, r.same(s.want, printed)
}

// ends are the numbers 0 to n.
func ends(n int) (all []int) {
	for i := range n + 1 {
		all = append(all, i)
	}
	return all
}

// typed is a command in a terminal of its own.
type typed struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended; err is set then
	err    error
	read   int // lines that the page has shown

	mu   sync.Mutex
	text bytes.Buffer
}

func (r *reader) start(command string) *typed {
	r.t.Helper()
	command = regexp.MustCompile(`\bdemo\b`).ReplaceAllString(command, r.n.name)
	c := &typed{cmd: r.user.command("bash", "-c", command), exited: make(chan struct{})}
	c.cmd.Env = append(c.cmd.Env, "PATH="+r.user.path("bin")+":"+filepath.Dir(devtunPath())+
		":/usr/local/bin:/usr/bin:/bin")
	c.cmd.Stdout, c.cmd.Stderr = c, c
	c.cmd.WaitDelay = endTimeout
	require.NoError(r.t, c.cmd.Start())
	go func() {
		c.err = c.cmd.Wait()
		close(c.exited)
	}()
	return c
}

func (c *typed) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

// lines is what has been printed in whole lines.
func (c *typed) lines() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := c.text.String()
	text = text[:strings.LastIndex(text, "\n")+1]
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// pageTimeout bounds one command of a page.
const pageTimeout = time.Minute

// await waits until done, or the command's end, or until it takes too long.
func (c *typed) await(done func() bool) {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	late := time.After(pageTimeout)
	for !done() {
		select {
		case <-c.exited:
			done()
			return
		case <-late:
			return
		case <-look.C:
		}
	}
}

// end sends a signal as the terminal does, to all that the command has started, and
// waits for its end.
func (c *typed) end(signal syscall.Signal) {
	syscall.Kill(-c.cmd.Process.Pid, signal)
	ctx, cancel := context.WithTimeout(context.Background(), pageTimeout)
	defer cancel()
	select {
	case <-c.exited:
	case <-ctx.Done():
		syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
		<-c.exited
	}
}

// public is lines without what is this machine's.
func (r *reader) public(lines []string) (all []string) {
	names := strings.NewReplacer(r.n.name, "demo", r.user.home, "/home/dev", r.user.name, "dev")
	host := regexp.MustCompile(`\b` + regexp.QuoteMeta(r.host) + `\b`)
	for _, line := range lines {
		all = append(all, host.ReplaceAllString(names.Replace(line), "laptop"))
	}
	return all
}

// generated begins what a pod's name has of letters that Kubernetes generates: those of
// its template, which are up to ten, and its own (k8s.io/apimachinery's rand.SafeEncodeString).
const generated = `-[b-df-hj-np-tv-xz24-9]`

// alike is what may differ between what a page shows and what is printed.
var alike = []struct {
	differs *regexp.Regexp
	as      string
}{
	{regexp.MustCompile(`\b127\.\d+\.\d+\.\d+\b`), "ADDRESS"},
	{regexp.MustCompile(`\b10\.\d+\.\d+\.\d+(:\d+)?\b`), "ADDRESS"},
	{regexp.MustCompile(`\b([a-z]+(?:-[a-z]+)*)` + generated + `{1,10}` + generated + `{5}\b`), "$1-POD"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d\.\d{3}\b`), "TIME"},
	{regexp.MustCompile(`\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?`), "TIME"},
	{regexp.MustCompile(`\b(\d+m)?\d+(\.\d+)?(µs|ms|s)\b`), "DURATION"},
	{regexp.MustCompile(`"seconds":[0-9.e-]+`), `"seconds":DURATION`},
	{regexp.MustCompile(`\b\d+ bytes sent, \d+ received`), "N bytes sent, N received"},
	{regexp.MustCompile(`:\d{5}\b`), ":PORT"},
	{regexp.MustCompile(`\bpid \d+`), "pid PID"},
	{regexp.MustCompile(` {2,}`), " "}, // columns
}

const anything = "…"

// same compares lines; "…" stands for any number of them.
func (r *reader) same(want, got []string) bool {
	plain := func(line string) string {
		for _, a := range alike {
			line = a.differs.ReplaceAllString(line, a.as)
		}
		return strings.TrimRight(line, " ")
	}
	for i, line := range want {
		if line == anything {
			return slices.ContainsFunc(ends(len(got)-i), func(skip int) bool { return r.same(want[i+1:], got[i+skip:]) })
		}
		if i >= len(got) || plain(line) != plain(got[i]) {
			return false
		}
	}
	return len(want) == len(got)
}
