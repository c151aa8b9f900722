package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// names are the IPv4 addresses and names in the hosts file that devtun has put
// there, without the tags.
func names(t *testing.T) (found []string) {
	t.Helper()
	for line := range strings.Lines(hostsFile(t)) {
		if words, _, ours := strings.Cut(line, "#devtun:"); ours && strings.HasPrefix(line, "127.") {
			found = append(found, strings.Join(strings.Fields(words), " "))
		}
	}
	slices.Sort(found)
	return found
}

// TestThreeStarts starts devtun as root, as a user and under sudo. Names and ports
// are the same, and whatever reads the kubeconfig is the user.
func TestThreeStarts(t *testing.T) {
	n := sharedExamples(t)
	before := hostsFile(t)
	root := startForward(t, "-n", n.name)
	// a pod's own names come when it is ready
	require.Eventually(t, func() bool { return len(names(t)) == 6 }, readyTimeout, 10*time.Millisecond)
	asRoot := names(t)
	require.Zero(t, root.helper(), "root needs no helper")
	root.stop()
	doors := func() []string {
		left, err := filepath.Glob("/run/devtun-helper-*")
		require.NoError(t, err)
		return left
	}
	others := doors() // of helpers that other tests have just killed

	for name, start := range map[string]struct {
		rule    string
		forward func(u *user) *devtun
	}{
		"as a user":                           {helperRule, func(u *user) *devtun { return u.forward("-n", n.name) }},
		"as a user whose sudo uses terminals": {ptyRule, func(u *user) *devtun { return u.forward("-n", n.name) }},
		"under sudo":                          {allRule, func(u *user) *devtun { return u.sudoForward("-n", n.name) }},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t, start.rule)
			d := start.forward(u)
			require.Equal(t, asRoot, names(t))
			for address, text := range map[string]string{
				"http://service-front/":                      "service-back on service-back-",
				"http://service-middle:8080/":                "service-middle on service-middle-",
				"http://service-store-1.service-store:8080/": "service-store on service-store-1",
			} {
				require.Contains(t, get(t, "curl", address), text, address)
			}
			for _, run := range u.pluginRuns() {
				require.Equal(t, fmt.Sprintf("%d %d %d %d %s %s", u.uid, u.uid, u.groups[0], u.groups[1], u.home, u.name), run)
			}
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.main()))
			require.NoError(t, err)
			require.Regexp(t, fmt.Sprintf(`(?m)^Uid:(\s+%d){4}$`, u.uid), string(status))
			require.Regexp(t, fmt.Sprintf(`(?m)^Gid:(\s+%d){4}$`, u.gid), string(status))
			require.Regexp(t, fmt.Sprintf(`(?m)^Groups:\s+%d %d\s*$`, u.groups[0], u.groups[1]), string(status))
			require.Regexp(t, `(?m)^CapPrm:\s+0+$`, string(status), "no right of root's is left")
			require.NotZero(t, d.helper())
			d.stop()
			require.Equal(t, before, hostsFile(t))
			require.Subset(t, others, doors())
		})
	}
}

func TestNoHelperWhereNoneIsNeeded(t *testing.T) {
	n := sharedExamples(t)
	before := hostsFile(t)
	u := newUser(t, noRule)
	u.write("hosts", "127.0.0.1 localhost\n", 0o644)
	t.Run("a hosts file of one's own and high ports", func(t *testing.T) {
		d := u.forward("-n", n.name, "--hosts-file", "hosts", "service-middle")
		require.Len(t, family(t, d.cmd.Process.Pid), 1)
		require.Contains(t, get(t, "curl", "http://"+d.addr("service-middle", 8080)+"/"),
			"service-middle on service-middle-")
		d.stop()
	})
	t.Run("the right to low ports", func(t *testing.T) {
		able := u.path("devtun")
		out, err := exec.Command("sh", "-c", `cp "$0" "$1" && setcap cap_net_bind_service=ep "$1"`, devtunPath(),
			able).CombinedOutput()
		require.NoError(t, err, string(out))
		d := u.started(u.command(able, "forward", "-o", "json", "-n", n.name, "--hosts-file", "hosts"))
		require.Len(t, family(t, d.cmd.Process.Pid), 1)
		require.Contains(t, get(t, "curl", "http://"+d.addr("service-front", 80)+"/"), "service-front on service-front-")
		d.stop()
	})
	content, err := os.ReadFile(u.path("hosts"))
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1 localhost\n", string(content))
	require.Equal(t, before, hostsFile(t))
}

// A low port alone brings the helper too, and a hosts file of one's own is not
// its business.
func TestTheHelperForALowPortAlone(t *testing.T) {
	n := sharedExamples(t)
	before := hostsFile(t)
	u := newUser(t, helperRule)
	u.write("hosts", "127.0.0.1 localhost\n", 0o644)
	d := u.forward("-n", n.name, "--hosts-file", "hosts", "service-front")
	require.NotZero(t, d.helper())
	require.Contains(t, get(t, "curl", "http://"+d.addr("service-front", 80)+"/"), "service-front on service-front-")
	require.Equal(t, before, hostsFile(t))
	d.stop()
}

func TestSudoThatCannotAsk(t *testing.T) {
	n := sharedIdle(t)
	before := hostsFile(t)
	for name, rule := range map[string]string{"wants a password": passwordRule, "knows no such rule": noRule} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t, rule)
			out, complaint, code := u.run(devtunPath(), "forward", "-n", n.name)
			require.Equal(t, exitMachine, code)
			require.Empty(t, out)
			require.Equal(t, "devtun: starting forward\ndevtun: error: write names: open /etc/hosts: permission denied: "+
				"start the helper with sudo: sudo: a password is required\n"+
				"hint: there is no terminal to ask for a password on: run 'sudo -v' first, or allow 'devtun helper' without one "+
				"(docs/security.md, the sudoers rule); 'devtun run -- COMMAND' needs no rights\n", complaint)
			require.Equal(t, before, hostsFile(t))
		})
	}
	t.Run("is not there", func(t *testing.T) {
		u := newUser(t, noRule)
		cmd := u.command("env", "PATH="+u.home, devtunPath(), "forward", "-n", n.name)
		out, err := cmd.CombinedOutput()
		require.Error(t, err)
		require.Equal(t, exitMachine, cmd.ProcessState.ExitCode())
		require.Contains(t, string(out), "hint: run devtun as root; 'devtun run -- COMMAND' needs no rights")
	})
}

// screen is a terminal of a user's.
type screen struct {
	t      *testing.T
	socket string
}

// newScreen opens a terminal with a shell of the user's in it. The terminal goes
// with the test.
func newScreen(t *testing.T, u *user) *screen {
	t.Helper()
	s := &screen{t: t, socket: filepath.Join(runtimeDir(t), "tmux")}
	s.tmux("-f", "/dev/null", "new-session", "-d", "-x", "200", "-y", "50",
		"setpriv", "--reuid", fmt.Sprint(u.uid), "--regid", fmt.Sprint(u.gid), "--init-groups",
		"env", "-i", "HOME="+u.home, "USER="+u.name, "PATH=/usr/local/bin:/usr/bin:/bin", "TERM=screen", "LANG=C.UTF-8",
		"PS1=$ ", "bash", "--norc")
	t.Cleanup(func() { // the test's own context has ended by then; the terminal may have, too
		run(context.Background(), 10*time.Second, "tmux", "-S", s.socket, "kill-server")
	})
	s.tmux("send-keys", "cd "+u.home, "Enter")
	return s
}

func (s *screen) tmux(args ...string) string {
	s.t.Helper()
	out, err := run(s.t.Context(), 10*time.Second, "tmux", append([]string{"-S", s.socket}, args...)...)
	require.NoError(s.t, err, out)
	return out
}

// enter types a line.
func (s *screen) enter(line string) { s.tmux("send-keys", line, "Enter") }

// interrupt presses Ctrl-C until none of the programs is on the screen any more:
// sudo misses one that comes between its question and its looking for an answer.
func (s *screen) interrupt(programs ...string) {
	s.t.Helper()
	pressed := time.Time{}
	require.Eventually(s.t, func() bool {
		if !slices.ContainsFunc(s.family(),
			func(p process) bool { return slices.Contains(programs, filepath.Base(p.args[0])) }) {
			return true
		}
		if time.Since(pressed) > 2*time.Second {
			pressed = time.Now()
			s.tmux("send-keys", "C-c")
		}
		return false
	}, readyTimeout, 50*time.Millisecond)
}

// family is the screen's shell and all that it has started.
func (s *screen) family() []process {
	s.t.Helper()
	shell, err := strconv.Atoi(strings.TrimSpace(s.tmux("display-message", "-p", "#{pane_pid}")))
	require.NoError(s.t, err)
	return family(s.t, shell)
}

// reads waits until a program on the screen sleeps: it has asked, and now reads.
func (s *screen) reads(program string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		return slices.ContainsFunc(s.family(), func(p process) bool {
			return filepath.Base(p.args[0]) == program && p.state == "S"
		})
	}, readyTimeout, 10*time.Millisecond)
}

// shows waits until the screen shows a match.
func (s *screen) shows(pattern string) string {
	s.t.Helper()
	var text string
	require.EventuallyWithT(s.t, func(c *assert.CollectT) {
		var err error
		text, err = run(context.Background(), 10*time.Second, "tmux", "-S", s.socket, "capture-pane", "-p")
		assert.NoError(c, err)
		assert.Regexp(c, "(?m)"+pattern, strings.TrimSpace(text))
	}, readyTimeout, 50*time.Millisecond)
	return text
}

func TestSudoAsksOnTheTerminal(t *testing.T) {
	n := sharedWeb(t)
	before := hostsFile(t)
	prompt := regexp.QuoteMeta("devtun needs root to write host names and to listen on ports below 1024. [sudo] " +
		"password for ")
	u := newUser(t, passwordRule)
	start := devtunPath() + " forward --plain -n " + n.name
	t.Run("once", func(t *testing.T) {
		s := newScreen(t, u)
		s.enter(start)
		s.shows(prompt + u.name + ": ?$")
		s.enter(password)
		text := s.shows("^ready: 1 service")
		require.Equal(t, 1, strings.Count(text, "[sudo]"), text)
		require.Contains(t, get(t, "curl", "http://web/who"), "web-")
		s.tmux("send-keys", "C-c")
		s.shows(`^(\^C)?\$ ?$`)
		require.Equal(t, before, hostsFile(t))
	})
	t.Run("again after a wrong password", func(t *testing.T) {
		s := newScreen(t, u)
		s.enter(start)
		s.shows(prompt)
		s.enter("wrong")
		s.shows("Sorry, try again")
		s.enter(password)
		s.shows("^ready: 1 service")
		s.tmux("send-keys", "C-c")
		s.shows(`^(\^C)?\$ ?$`)
		require.Equal(t, before, hostsFile(t))
	})
	t.Run("and takes Ctrl-C for an answer", func(t *testing.T) {
		s := newScreen(t, u)
		s.enter(start)
		s.shows(prompt)
		s.reads("sudo")
		s.interrupt("devtun", "sudo")
		s.enter("echo ended with $?")
		s.shows("ended with 0") // ended by SIGINT
		require.Equal(t, before, hostsFile(t))
	})
}

// TestInTheBackgroundNobodyIsAsked starts a job in the background of a terminal:
// asking would stop it for ever.
func TestInTheBackgroundNobodyIsAsked(t *testing.T) {
	n := sharedIdle(t)
	s := newScreen(t, newUser(t, passwordRule))
	s.enter(devtunPath() + " forward -n " + n.name + " & wait $!; echo ended with $?")
	s.shows("hint: there is no terminal to ask for a password on")
	s.shows(fmt.Sprintf("ended with %d", exitMachine))
}

func TestTheTerminalIsClosed(t *testing.T) {
	n := sharedWeb(t)
	before := hostsFile(t)
	s := newScreen(t, newUser(t, helperRule))
	s.enter(devtunPath() + " forward -n " + n.name)
	s.shows("^›● web ")
	require.NotEqual(t, before, hostsFile(t))
	s.tmux("kill-session")
	awaitHosts(t, before)
}

// awaitHosts waits until the hosts file is as it was.
func awaitHosts(t *testing.T, content string) {
	t.Helper()
	require.Eventually(t, func() bool { return hostsFile(t) == content }, endTimeout, 10*time.Millisecond,
		"the hosts file stays changed")
}

func TestAReadOnlyHostsFileNeedsNoQuestion(t *testing.T) {
	n := sharedIdle(t)
	require.NoError(t, syscall.Mount("/etc/hosts", "/etc/hosts", "", syscall.MS_BIND, ""))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount("/etc/hosts", 0)) })
	require.NoError(t, syscall.Mount("", "/etc/hosts", "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""))
	_, complaint, code := newUser(t, helperRule).run(devtunPath(), "forward", "-n", n.name)
	require.Equal(t, exitMachine, code)
	require.Contains(t, complaint, "devtun: error: write names: ")
	require.Contains(t, complaint, "read-only file system\nhint: pass --hosts-file with a file you may write; 'devtun "+
		"run -- COMMAND' needs no rights\n")
}
