package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/status"
)

const exitNoSession = 11

// folder is a project's, with a session of its own, and how devtun is run there.
type folder struct {
	t       *testing.T
	n       *namespace
	path    string
	command func(args ...string) *exec.Cmd
}

// newProject makes one for root, with a runtime directory of its own. Whatever it has
// up ends with the test.
func newProject(t *testing.T, n *namespace) *folder {
	t.Helper()
	f := &folder{t: t, n: n, path: t.TempDir()}
	runtime := runtimeDir(t)
	f.command = func(args ...string) *exec.Cmd {
		cmd := exec.Command(devtunPath(), args...)
		cmd.Dir = f.path
		cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+runtime, "KUBECONFIG="+kubeconfig())
		return cmd
	}
	t.Cleanup(f.cleanUp)
	return f
}

// runtimeDir is a directory for sockets, whose paths must not be long.
func runtimeDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(home, "run")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// project makes one in the user's home.
func (u *user) project(n *namespace) *folder {
	u.t.Helper()
	u.write("shop/.keep", "", 0o600)
	f := &folder{t: u.t, n: n, path: u.path("shop")}
	f.command = func(args ...string) *exec.Cmd {
		cmd := u.command(devtunPath(), args...)
		cmd.Dir = f.path
		return cmd
	}
	u.t.Cleanup(f.cleanUp)
	return f
}

func (f *folder) cleanUp() {
	if f.t.Failed() {
		out, _, _ := f.run("logs")
		f.t.Logf("the session said:\n%s", out)
	}
	f.run("down", "--all")
}

// file writes the project file.
func (f *folder) file(text string) {
	f.t.Helper()
	require.NoError(f.t, os.WriteFile(filepath.Join(f.path, "devtun.yaml"), []byte("namespace: "+f.n.name+"\n"+text),
		0o644))
}

// run runs devtun to its end. Its output is not a file: who holds a pipe open that
// devtun has given to others would keep it waiting.
func (f *folder) run(args ...string) (stdout, stderr string, code int) {
	f.t.Helper()
	cmd := f.command(args...)
	var out, complaint strings.Builder
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &complaint, 5*time.Second
	require.NoError(f.t, cmd.Start())
	late := time.AfterFunc(2*time.Minute, func() { cmd.Process.Kill() })
	defer late.Stop()
	require.NotErrorIs(f.t, cmd.Wait(), exec.ErrWaitDelay, "somebody keeps its output open")
	return out.String(), complaint.String(), cmd.ProcessState.ExitCode()
}

// must is run for what must succeed.
func (f *folder) must(args ...string) (stdout string) {
	f.t.Helper()
	out, complaint, code := f.run(args...)
	require.Zero(f.t, code, "%v: %s%s", args, out, complaint)
	return out
}

// status is what the session says of itself.
func (f *folder) status() (s status.Snapshot) {
	f.t.Helper()
	require.NoError(f.t, json.Unmarshal([]byte(f.must("status", "-o", "json")), &s))
	return s
}

// ended waits until no session is running, however it has ended.
func (f *folder) ended() {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		_, _, code := f.run("status")
		return code == exitNoSession
	}, backTimeout, 50*time.Millisecond, "the session goes on")
}

// holdConnection opens a connection to an echo service and keeps it.
func holdConnection(t *testing.T, address string) (echo func()) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	in := bufio.NewReader(conn)
	return func() {
		t.Helper()
		require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		_, err := io.WriteString(conn, "GET /ready HTTP/1.1\r\nHost: it\r\n\r\n")
		require.NoError(t, err)
		for length := 0; ; {
			line, err := in.ReadString('\n')
			require.NoError(t, err, "the connection is kept")
			fmt.Sscanf(line, "Content-Length: %d", &length)
			if line == "\r\n" {
				_, err := io.CopyN(io.Discard, in, int64(length))
				require.NoError(t, err)
				return
			}
		}
	}
}

// TestUpInTheBackground from the first up to the down, with the cluster's own requests.
func TestUpInTheBackground(t *testing.T) {
	n := newNamespace(t).examples()
	f := newProject(t, n)
	f.must("clean")
	hosts, before := hostsFile(t), n.trace()
	l := n.loader()
	local := newLocalProcess(t)
	local.start()
	intercept := "intercepts:\n- workload: service-middle\n  ports: [" + local.port() +
		"]\n  envFile: .env\n  moveConnections: force\n"
	f.file("forward:\n  services: [service-front]\n" + intercept)
	f.must("up", "--detach")
	require.Contains(t, get(t, "curl", "http://service-front/"), "service-front on")
	require.NotContains(t, hostsFile(t), " service-back")
	l.until("the local process answers", byDeveloper)
	environment, err := os.ReadFile(filepath.Join(f.path, ".env"))
	require.NoError(t, err)
	require.Contains(t, string(environment), "SERVICE_BACK_SERVICE_HOST=")
	require.NotRegexp(t, `(?m)^(HOSTNAME|PATH|HOME)=`, string(environment), "they are this machine's")

	s := f.status()
	require.Equal(t, status.Ready, s.State)
	require.Equal(t, filepath.Join(f.path, "devtun.yaml"), s.File)
	require.Len(t, s.Services, 1)
	require.Equal(t, "service-front", s.Services[0].Service)
	require.NotEmpty(t, s.Services[0].Endpoints)
	require.Positive(t, s.Services[0].Total)
	require.Len(t, s.Intercepts, 1)
	require.Equal(t, "standing", s.Intercepts[0].State)
	require.Equal(t, "developer", s.Intercepts[0].Routes[0].To)

	// A changed file: what stays is not disturbed.
	echo := holdConnection(t, s.Services[0].Address+":80")
	echo()
	f.file("forward:\n  services: [service-front, service-back]\n" + intercept)
	changing := l.now()
	require.Contains(t, f.must("up", "--detach"), "changed: service service-back is new\n")
	require.Contains(t, get(t, "curl", "http://service-back/"), "service-back on")
	echo()
	require.Equal(t, s.PID, f.status().PID)
	require.Zero(t, l.lost("a service more"))
	require.Contains(t, f.must("up", "--detach"), "changed: nothing\n")
	require.Less(t, changing, l.now())

	// The intercept goes, and its service is forwarded again.
	f.file("")
	out := f.must("up", "--detach")
	require.Contains(t, out, "restored: Deployment \"service-middle\"")
	require.Contains(t, out, "service service-middle is new")
	require.Contains(t, out, "intercept of service-middle is gone")
	require.NoFileExists(t, filepath.Join(f.path, ".env"))
	require.Contains(t, get(t, "curl", "http://service-middle:8080/"), "service-middle on")
	echo()
	l.until("the origin answers", byOrigin)
	require.Zero(t, l.lost("the intercept is taken out"))
	require.NotEmpty(t, f.must("logs", "--since", "1h"))

	require.Contains(t, f.must("down"), "ended: session ")
	require.Equal(t, hosts, hostsFile(t))
	n.noAgents()
	n.asTraced(before)
	_, _, code := f.run("status")
	require.Equal(t, exitNoSession, code)
	require.Contains(t, f.must("down"), "no session is running")
}

// TestDownRestores an intercept, with what it has handed over.
func TestDownRestores(t *testing.T) {
	t.Parallel()
	n := newNamespace(t).examples()
	f := newProject(t, n)
	before := n.trace()
	f.file("noForward: true\nintercepts:\n- {workload: service-middle, ports: ['19090:8080']}\n- {workload: " +
		"service-back, ports: ['19091:80']}\n")
	f.must("up", "-d", "--name", "both")
	require.Len(t, f.status().Intercepts, 2)
	out := f.must("down", "both")
	require.Contains(t, out, "restored: Deployment \"service-middle\"")
	require.Contains(t, out, "restored: Deployment \"service-back\"")
	n.noAgents()
	n.asTraced(before)
}

// TestUpThatDoesNotComeUp leaves nothing, whatever has failed.
func TestUpThatDoesNotComeUp(t *testing.T) {
	n := newNamespace(t).examples()
	f := newProject(t, n)
	f.must("clean")
	hosts, before := hostsFile(t), n.trace()
	intercept := "intercepts:\n- {workload: service-middle, ports: ['19092:8080']}\n"
	for _, c := range []struct {
		about, file string
		args        []string
		code        int
		said        string
	}{
		{"an unknown service", "forward: {services: [service-frnt]}\n" + intercept, nil, 6,
			"hint: did you mean service-front?"},
		{"an unknown workload", "intercepts: [{workload: service-mddle}]\n", nil, 6, "hint: did you mean service-middle?"},
		{"an intercept beside one that could stand", intercept + "- workload: nothing\n", nil, 6, "nothing"},
		{"a service that cannot be forwarded", "forward: {services: [service-udp]}\n" + intercept, nil, 6, "TCP only"},
		{"not ready in time", intercept, []string{"--wait", "900ms"}, 1, "not everything was ready within 900ms"},
		{"an image that is not there", "intercepts:\n- {workload: service-middle, agentImage: 'devtun.test/none:dev', " +
			"ports: ['19092:8080']}\n", nil, 9, "cannot be pulled"},
	} {
		t.Run(c.about, func(t *testing.T) {
			f.file(c.file)
			for _, detach := range []string{"--detach", "--detach=false"} {
				_, complaint, code := f.run(append([]string{"up", detach}, c.args...)...)
				require.Equal(t, c.code, code, complaint)
				require.Contains(t, complaint, c.said)
				require.Equal(t, hosts, hostsFile(t))
				n.asTraced(before)
				_, _, code = f.run("status")
				require.Equal(t, exitNoSession, code)
				_, _, code = f.run("logs")
				require.Equal(t, exitNoSession, code, "a session that has never stood leaves no log")
			}
		})
	}
	n.noAgents()
}

// TestTheTerminalOfUpIsClosed: sudo asks once, on the terminal that up was called
// from; the session and its helper go on without it.
func TestTheTerminalOfUpIsClosed(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	for name, rule := range map[string]string{"after a password": passwordRule,
		"with sudo on a terminal of its own": passwordRule + "\nDefaults:USER use_pty"} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t, rule)
			f := u.project(n)
			hosts := hostsFile(t)
			f.file("")
			s := newScreen(t, u)
			s.enter("cd shop; export TMPDIR=" + u.path("tmp") + "; " + devtunPath() + " up --detach") // where sessions are
			s.shows(`\[sudo\] password for ` + u.name)
			s.enter("wrong")
			s.shows("Sorry, try again")
			s.enter(password)
			s.shows(`^devtun: ready in `)
			s.shows(`^\$ ?$`)
			s.tmux("kill-server")
			require.Contains(t, get(t, "curl", "http://web/who"), "web-")
			require.Equal(t, status.Ready, f.status().State)
			require.Equal(t, u.uid, ownerOf(t, f.status().PID))
			later := "later-" + strings.Fields(name)[0]
			n.anotherService(later)
			require.Eventually(t, func() bool { return strings.Contains(hostsFile(t), " "+later+" ") }, readyTimeout,
				20*time.Millisecond, "the helper goes on")
			f.must("down")
			require.Equal(t, hosts, hostsFile(t))
		})
	}
}

// anotherService makes another service of the namespace's pods.
func (n *namespace) anotherService(name string) {
	n.t.Helper()
	n.apply(fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {selector: {app: web}, ports: "+
		"[{port: 80, targetPort: 8080}]}\n", name))
}

// ownerOf is the user whose process it is.
func ownerOf(t *testing.T, pid int) uint32 {
	t.Helper()
	info, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	require.NoError(t, err)
	return info.Sys().(*syscall.Stat_t).Uid
}

// TestUpWithoutATerminal never hangs for a password: it fails, or sudo asks for none.
func TestUpWithoutATerminal(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	hosts := hostsFile(t)
	t.Run("and without a rule", func(t *testing.T) {
		f := newUser(t, passwordRule).project(n)
		f.file("")
		_, complaint, code := f.run("up", "--detach")
		require.Equal(t, exitMachine, code, complaint)
		require.Contains(t, complaint, "hint: there is no terminal to ask for a password on")
		require.Equal(t, hosts, hostsFile(t))
	})
	t.Run("with a rule", func(t *testing.T) {
		f := newUser(t, helperRule).project(n)
		f.file("")
		f.must("up", "--detach")
		require.Contains(t, get(t, "curl", "http://web/who"), "web-")
		f.must("down")
		require.Equal(t, hosts, hostsFile(t))
	})
	t.Run("under sudo", func(t *testing.T) {
		u := newUser(t, allRule)
		f := u.project(n)
		f.file("")
		own := f.command
		f.command = func(args ...string) *exec.Cmd {
			cmd := u.command("sudo", append([]string{"-n", "TMPDIR=" + u.path("tmp"), devtunPath()}, args...)...)
			cmd.Dir = f.path
			return cmd
		}
		f.must("up", "--detach")
		f.command = own // the session is the user's
		require.Equal(t, u.uid, ownerOf(t, f.status().PID))
		require.Contains(t, get(t, "curl", "http://web/who"), "web-")
		f.must("down")
		require.Eventually(t, func() bool { return hosts == hostsFile(t) }, endTimeout, 10*time.Millisecond)
	})
}

// TestUpEndsWithItsParent, which is not the process that has called it.
func TestUpEndsWithItsParent(t *testing.T) {
	n := newNamespace(t).examples()
	f := newProject(t, n)
	f.must("clean")
	hosts, before := hostsFile(t), n.trace()
	editor := exec.Command("sleep", "600")
	require.NoError(t, editor.Start())
	t.Cleanup(func() { editor.Process.Kill() })
	f.file("intercepts:\n- {workload: service-middle, ports: ['19093:8080']}\n")
	f.must("up", "--detach", "--ppid", fmt.Sprint(editor.Process.Pid))
	require.NotEqual(t, hosts, hostsFile(t))
	require.NoError(t, editor.Process.Kill())
	editor.Wait()
	f.ended()
	require.Equal(t, hosts, hostsFile(t))
	n.noAgents()
	n.asTraced(before)
	require.Contains(t, f.must("logs"), fmt.Sprintf("process %d has ended, and the session with it", editor.Process.Pid))
}

// TestUpAfterAKill takes the place of a session that was killed, and of its intercept.
func TestUpAfterAKill(t *testing.T) {
	n := newNamespace(t).examples()
	f := newProject(t, n)
	f.must("clean")
	hosts, before := hostsFile(t), n.trace()
	f.file("intercepts:\n- {workload: service-middle, ports: ['19094:8080'], envFile: .env}\n")
	f.must("up", "--detach")
	first := f.status().PID
	require.NoError(t, syscall.Kill(first, syscall.SIGKILL))
	f.ended()
	_, complaint, code := f.run("up", "--detach")
	require.Equal(t, 9, code, complaint)
	require.Contains(t, complaint,
		"hint: they are yours; if no devtun holds them any more: devtun restore service-middle -n "+n.name)
	f.must("restore", "service-middle", "-n", n.name)
	f.must("up", "--detach")
	require.NotEqual(t, first, f.status().PID)
	require.Contains(t, get(t, "curl", "http://service-front/"), "service-front on")

	require.NoError(t, syscall.Kill(f.status().PID, syscall.SIGKILL))
	f.ended()
	out := f.must("clean")
	require.Contains(t, out, "removed what a devtun that has ended has handed over: "+filepath.Join(f.path, ".env"))
	require.Contains(t, out, "removed what session ")
	f.must("restore", "--all", "-n", n.name)
	require.Equal(t, hosts, hostsFile(t))
	n.noAgents()
	n.asTraced(before)
}

// askSocket asks a session for what it holds.
const askSocket = `import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
print("connected")
try:
    s.sendall(b"GET /v1/snapshot HTTP/1.1\\r\\nHost: session\\r\\n\\r\\n")
    print(s.recv(1000))
except OSError:
    print("cut off")
`

// TestSessionsOfTwoUsers have one name, and nothing to do with each other.
func TestSessionsOfTwoUsers(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	one, two := newUser(t, helperRule), newUser(t, helperRule)
	first, second := one.project(n), two.project(n)
	first.file("forward: {hostsFile: hosts}\n")
	second.file("forward: {hostsFile: hosts}\n")
	one.write("shop/hosts", "", 0o600)
	two.write("shop/hosts", "", 0o600)
	first.must("up", "--detach")
	_, complaint, code := second.run("status")
	require.Equal(t, exitNoSession, code, complaint)
	second.must("up", "--detach")
	require.NotEqual(t, first.status().PID, second.status().PID)
	require.Contains(t, second.must("down"), "ended: session shop")
	require.Equal(t, status.Ready, first.status().State)

	// Who gets at the socket all the same is turned away: by the rights of the folder,
	// and when those are gone, by the session itself.
	sockets, err := filepath.Glob(filepath.Join(one.path("tmp"), "devtun-*", "shop.sock"))
	require.NoError(t, err)
	require.Len(t, sockets, 1)
	ask := func() string {
		out, complaint, _ := two.run("env", "python3", "-c", askSocket, sockets[0])
		return out + complaint
	}
	require.Contains(t, ask(), "PermissionError")
	for _, path := range []string{one.home, one.path("tmp"), filepath.Dir(sockets[0]), sockets[0]} {
		require.NoError(t, os.Chmod(path, 0o777))
	}
	require.Regexp(t, `^connected\n(b''|cut off)\n$`, ask(), "it hangs up")

	// Such a folder is no place for sessions any more.
	_, complaint, code = first.run("status")
	require.Equal(t, exitMachine, code)
	require.Contains(t, complaint, "is open to other users")
	require.NoError(t, os.Chmod(filepath.Dir(sockets[0]), 0o700))
	first.must("down")
}

// TestUpTakesUpWhatHasFailed: somebody else ends an intercept of a session, which goes
// on without it and says so; the next up takes it up again.
func TestUpTakesUpWhatHasFailed(t *testing.T) {
	n := newNamespace(t).examples()
	f := newProject(t, n)
	hosts, before := hostsFile(t), n.trace()
	f.file("forward: {services: [service-front]}\nintercepts:\n- {workload: service-middle, ports: ['19095:8080']}\n")
	f.must("up", "--detach")
	f.must("restore", "service-middle", "-n", n.name)
	require.Eventually(t, func() bool { return f.status().Error != "" }, time.Minute, 100*time.Millisecond,
		"it is noticed")
	require.Contains(t, f.status().Error, "the intercept no longer stands")
	require.Empty(t, f.status().Intercepts)
	require.Contains(t, get(t, "curl", "http://service-front/"), "service-front on", "the rest goes on")
	n.noAgents()

	// Taken up otherwise than before.
	f.file("forward: {services: [service-front]}\nintercepts:\n- {workload: service-middle, ports: ['19096:8080']}\n")
	out := f.must("up", "--detach")
	require.Contains(t, out, "changed: intercept of service-middle is new\n")
	require.Empty(t, f.status().Error)
	require.Equal(t, "localhost:19096", f.status().Intercepts[0].Routes[0].Local)
	f.file("forward: {services: [service-front]}\nintercepts:\n- {workload: service-middle, ports: ['19097:8080']}\n")
	require.Contains(t, f.must("up", "--detach"), "changed: intercept of service-middle was recreated\n")
	require.Equal(t, "localhost:19097", f.status().Intercepts[0].Routes[0].Local)
	f.must("down")
	require.Equal(t, hosts, hostsFile(t))
	n.noAgents()
	n.asTraced(before)
}

// TestStatusIsWatchedInATerminal with the live view, which is left without an end to
// the session, and ends with it.
func TestStatusIsWatchedInATerminal(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	u := newUser(t, helperRule)
	f := u.project(n)
	f.file("")
	f.must("up", "--detach")
	s := newScreen(t, u)
	watch := "cd ~/shop; TMPDIR=" + u.path("tmp") + " " + devtunPath() + " status --watch; echo left with $?"
	s.enter(watch)
	s.shows(` web +\S+(?: \+\d+)? +127\.`)
	s.tmux("send-keys", "q")
	s.shows("^left with 0")
	require.Equal(t, status.Ready, f.status().State)
	s.enter("clear; " + watch)
	s.shows(` web +\S+(?: \+\d+)? +127\.`)
	f.must("down")
	s.shows("^session shop has ended\n(.*\n)*left with 0")
}
