package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tests of this file press F5 on the examples.

const (
	middleDebugged = "service-middle, with devtun"
	frontDebugged  = "service-front, with devtun"
	breakpointHere = "// a breakpoint here"
)

// debugScene is a cluster and a machine as they are before.
type debugScene struct {
	*namespace
	editor  *editor
	objects map[string]string
	hosts   string
}

func newDebugScene(t *testing.T) *debugScene {
	t.Helper()
	n := newNamespace(t).chain().testserver("client", 1)
	objects, err := n.objects(t.Context(), dynamicClient(t))
	require.NoError(t, err)
	return &debugScene{namespace: n, editor: openExamples(t, n), objects: objects, hosts: hostsFile(t)}
}

// unchanged finds everything as it was.
func (s *debugScene) unchanged(d *debugging) {
	s.t.Helper()
	require.Equal(s.t, s.hosts, hostsFile(s.t))
	require.NoFileExists(s.t, filepath.Join(s.editor.folder, "service-middle", ".env"))
	s.asBefore(dynamicClient(s.t), s.objects, "debugged")
	s.noAgents()
	require.ErrorIs(s.t, syscall.Kill(d.process(), 0), syscall.ESRCH, "the program has ended")
	left, err := filepath.Glob(filepath.Join(s.editor.folder, "*", "__debug_bin*"))
	require.NoError(s.t, err)
	require.Empty(s.t, left)
}

// debugMiddle starts service-middle under the debugger and waits until the cluster's
// requests come here.
func (s *debugScene) debugMiddle() *debugging {
	s.t.Helper()
	d := s.editor.debug(middleDebugged, breakpointHere)
	d.session.await("service-middle:8080 -> localhost:9090", time.Minute)
	return d
}

// TestDebugServiceMiddle: a request inside the cluster stops at a breakpoint here.
func TestDebugServiceMiddle(t *testing.T) {
	s := newDebugScene(t)
	d := s.debugMiddle()
	request := s.ask("client", "http://service-front/")
	thread := d.stopped()
	frame := d.top(thread)
	locals := d.locals(frame)
	require.Equal(t, "1", locals["number"])
	require.Contains(t, locals["said"], "service-back on service-back-", "by its name, from here")
	require.Contains(t, locals["note"], "request 1 here, answered by service-back on service-back-")

	require.Contains(t, d.handed, "SERVICE_BACK_SERVICE_HOST", "the container's, which the kubelet has set")
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", d.process()))
	require.NoError(t, err)
	for name, value := range d.handed {
		require.Contains(t, "\x00"+string(environ)+"\x00", "\x00"+name+"="+value+"\x00")
	}

	d.goOn(thread)
	here, err := os.Hostname()
	require.NoError(t, err)
	require.Regexp(t, `^service-front on service-front-\S+\n  service-middle on `+here+
		`\n    service-back on service-back-\S+\n$`, request.answer(t))

	d.stop()
	require.Contains(t, s.ask("client", "http://service-front/").answer(t), "service-middle on service-middle-",
		"the origin answers")
	s.unchanged(d)
}

// TestDebugServiceFront: this machine asks the service that runs here, and it asks the
// cluster.
func TestDebugServiceFront(t *testing.T) {
	s := newDebugScene(t)
	const address = "localhost:8080"
	d := s.editor.debug(frontDebugged, breakpointHere)
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, time.Minute, 50*time.Millisecond, "the program does not listen")
	answered := make(chan string, 1)
	go func() {
		text, err := run(t.Context(), 2*time.Minute, "curl", "-sS", "http://"+address)
		answered <- fmt.Sprint(text, err)
	}()
	thread := d.stopped()
	require.Contains(t, d.locals(d.top(thread))["said"], "service-middle on service-middle-")
	d.goOn(thread)
	here, err := os.Hostname()
	require.NoError(t, err)
	select {
	case text := <-answered:
		require.Regexp(t, `^service-front on `+here+
			`\n  service-middle on service-middle-\S+\n    service-back on service-back-\S+\n<nil>$`, text)
	case <-time.After(time.Minute):
		require.FailNow(t, "no answer")
	}
	d.stop()
	s.unchanged(d)
}

// TestHeldBreakpoint: while the program is stopped, its caller waits, and so do others:
// the kernel takes their connections for it. The origin gets none of them, and the
// session stands.
func TestHeldBreakpoint(t *testing.T) { holdBreakpoint(t, 6*time.Second) }

// holdBreakpoint has somebody sit at a breakpoint for that long.
func holdBreakpoint(t *testing.T, held time.Duration) {
	s := newDebugScene(t)
	d := s.debugMiddle()
	first := s.ask("client", "http://service-front/")
	thread := d.stopped()
	others := []*asked{s.ask("client", "http://service-front/"), s.ask("client", "http://service-front/")}
	require.Never(t, func() bool {
		select {
		case <-first.answered:
		case <-others[0].answered:
		case <-others[1].answered:
		case <-d.session.ended:
		default:
			return d.hits() > 1
		}
		return true
	}, held, time.Second, "somebody is answered, or the session has ended")

	here, err := os.Hostname()
	require.NoError(t, err)
	d.breakpoints()
	d.goOn(thread)
	for _, one := range append(others, first) {
		require.Contains(t, one.answer(t), "service-middle on "+here+"\n")
	}
	_, meanwhile, _ := strings.Cut(d.session.said(), "service-middle:8080 -> localhost:9090")
	require.NotContains(t, meanwhile, "-> cluster", "all the time it was this machine's turn")
	d.stop()
	s.unchanged(d)
}

// TestNoDebuggerWithoutASession: what devtun says against it is a problem for the
// editor, which does not go on then.
func TestNoDebuggerWithoutASession(t *testing.T) {
	n := newNamespace(t) // without service-middle
	e := openExamples(t, n)
	before := hostsFile(t)
	run, problems := e.background("devtun up service-middle")
	require.Len(t, problems, 1, run.said())
	require.Equal(t, filepath.Join(e.folder, "service-middle", "devtun.yaml")+":13:15", problems[0].place, run.said())
	require.Contains(t, problems[0].message, `no Service or workload "service-middle" in namespace "`+n.name+`"`)
	require.Contains(t, problems[0].message, "\nhint: ", "what there is elsewhere, or that there is nothing here")
	<-run.ended
	require.Error(t, run.err)
	require.Equal(t, before, hostsFile(t))
	assert.NoFileExists(t, filepath.Join(e.folder, "service-middle", ".env"))
	down := e.start(e.task("devtun down service-middle")) // VS Code does not, but somebody may
	<-down.ended
	require.Contains(t, down.said(), `no session "service-middle" is running`)
}
