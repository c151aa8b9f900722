package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRunNeedsNoRights runs commands as a user whom sudo knows nothing of.
func TestRunNeedsNoRights(t *testing.T) {
	n := sharedExamples(t)
	before := hostsFile(t)
	u := newUser(t, noRule)
	devtunRun := func(args ...string) (out, complaint string, code int) {
		return u.run(devtunPath(), append([]string{"run", "-n", n.name}, args...)...)
	}
	t.Run("names in reach", func(t *testing.T) {
		out, complaint, code := devtunRun("--", "curl", "-sS", "http://service-middle:8080/")
		require.Zero(t, code, complaint)
		require.Contains(t, out, "service-middle on service-middle-")
		lines := strings.Split(strings.TrimSpace(complaint), "\n")
		require.Len(t, lines, 5)
		require.Equal(t, "devtun: starting run", lines[0])
		require.Regexp(t, `^ready: 2 services, \d ports in `, lines[1])
		require.Regexp(t, `^devtun: ready in `, lines[2])
		require.Equal(t, "warning: only root may listen on ports below 1024: those of service-back, service-front "+
			"cannot be reached", lines[3])
		require.Equal(t, "hint: add --hosts system, or move the port: --port service-back:8080:80 --port "+
			"service-front:8080:80", lines[4])
	})
	t.Run("as the hint says", func(t *testing.T) {
		out, complaint, code := devtunRun("service-back", "--port", "service-back:8080:80", "--", "curl", "-sS",
			"http://service-back:8080/")
		require.Zero(t, code, complaint)
		require.Contains(t, out, "service-back on service-back-")
		require.NotContains(t, complaint, "warning")
	})
	t.Run("a service by name with a low port", func(t *testing.T) {
		_, complaint, code := devtunRun("service-back", "--", "true")
		require.Equal(t, exitMachine, code)
		require.Regexp(t,
			`(?s)^devtun: starting run\ndevtun: error: listen for .*service-back: listen on 127\.\S+:80: permission denied\nhint: ports below 1024 need root: 'devtun run' wants --hosts system for them; or move it with --port service-back\.`+n.name+`:8080:80\n$`, complaint)
	})
	t.Run("the command is the user's and sees what it may", func(t *testing.T) {
		out, complaint, code := devtunRun("service-middle", "--", "sh", "-c",
			"id -u; grep -c '#devtun:' /etc/hosts; cat /proc/self/status | grep CapEff; exit 7")
		require.Equal(t, 7, code, complaint)
		require.Regexp(t, fmt.Sprintf(`^%d\n4\nCapEff:\s+0+\n$`, u.uid), out)
	})
	t.Run("no such command", func(t *testing.T) {
		out, complaint, code := devtunRun("--", "no-such-command")
		require.Equal(t, 127, code)
		require.Empty(t, out)
		require.Equal(t, "devtun: error: start no-such-command: executable file not found in $PATH\nhint: what follows -- "+
			"is run as it is, without a shell; is it in PATH?\n", complaint)
	})
	t.Run("namespaces forbidden", func(t *testing.T) {
		forbid := fmt.Sprintf("echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --bounding-set=-all "+
			"--inh-caps=-all %s run --hosts private -n %s service-middle -- true", devtunPath(), n.name)
		out, complaint, code := u.run("unshare", "--user", "--map-root-user", "sh", "-c", forbid)
		require.Equal(t, exitMachine, code, complaint)
		require.Empty(t, out)
		require.Contains(t, complaint, "devtun: error: give the program a hosts file of its own: forbidden by ")
		require.Contains(t, complaint, "max_user_namespaces")
		require.Contains(t, complaint, "hint: add --hosts system, which asks sudo for devtun's helper; or run 'devtun "+
			"forward' beside the command\n")
	})
	require.Equal(t, before, hostsFile(t), "nobody else has seen any of it")
	require.Empty(t, u.privateFiles())
}

// TestRunIsNeverAnsweredElsewhere runs a command beside a session that gives its names
// to the whole machine, for another namespace as it might be for another cluster. The
// command's own web has port 80, which is not this user's to listen on.
func TestRunIsNeverAnsweredElsewhere(t *testing.T) {
	production, own := sharedWeb(t), sharedIdle(t)
	startForward(t, "-n", production.name)
	require.Contains(t, get(t, "curl", "http://web/who"), "web-")
	u := newUser(t, noRule)
	out, complaint, code := u.run(devtunPath(), "run", "-n", own.name, "--",
		"sh", "-c", "curl -s --max-time 20 http://web/who; echo $?; grep -c "+production.name+
			" /etc/hosts; getent ahostsv4 web | cut -d ' ' -f 1 | sort -u | wc -l")
	require.Zero(t, code, complaint)
	require.Equal(t, "7\n0\n1\n", out, "curl's code for a refused connection; no name of the other; one address")
}

// TestRunOfAServiceWithALowPort goes on with the ports that need no rights.
func TestRunOfAServiceWithALowPort(t *testing.T) {
	n := sharedWeb(t)
	u := newUser(t, noRule)
	out, complaint, code := u.run(devtunPath(), "run", "-n", n.name, "web", "--", "bash", "-c",
		"exec 3<>/dev/tcp/web/7001; head -n 1 <&3")
	require.Contains(t, complaint, "warning: only root may listen on ports below 1024: those of web cannot be "+
		"reached\n"+
		"hint: add --hosts system, or move the port: --port web:8080:80\n")
	require.Zero(t, code, complaint)
	require.Regexp(t, `^220 web-\S+ ready\r?\n$`, out)

	out, complaint, code = u.run(devtunPath(), "run", "-n", n.name, "--port", "web:8080:80", "web", "--", "curl", "-sS",
		"http://web:8080/who")
	require.Zero(t, code, complaint)
	require.Contains(t, out, "web-")
	require.NotContains(t, complaint, "warning")
}

// TestRunAsARootWhoMayNotWrite takes the view of the command's own by itself.
func TestRunAsARootWhoMayNotWrite(t *testing.T) {
	n := sharedExamples(t)
	before := hostsFile(t)
	u := newUser(t, noRule)
	command := []string{"-n", n.name, "service-middle", "--", "sh", "-c", "id -u; curl -sS http://service-middle:8080/"}
	t.Run("root of a user namespace", func(t *testing.T) {
		out, complaint, code := u.run("unshare", append([]string{"--user", "--map-root-user", devtunPath(), "run"},
			command...)...)
		require.Zero(t, code, complaint)
		require.Regexp(t, `^0\nservice-middle on service-middle-`, out)
	})
	t.Run("a read-only hosts file", func(t *testing.T) {
		require.NoError(t, syscall.Mount("/etc/hosts", "/etc/hosts", "", syscall.MS_BIND, ""))
		t.Cleanup(func() { require.NoError(t, syscall.Unmount("/etc/hosts", 0)) })
		require.NoError(t, syscall.Mount("", "/etc/hosts", "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
		out, err := exec.Command(devtunPath(), append([]string{"run", "--kubeconfig", kubeconfig()},
			command...)...).CombinedOutput()
		require.NoError(t, err, string(out))
		require.Regexp(t, `0\nservice-middle on service-middle-`, string(out))
	})
	require.Equal(t, before, hostsFile(t))
	require.Empty(t, u.privateFiles())
}

// privateFiles are what `devtun run` has for the user's commands.
func (u *user) privateFiles() []string {
	u.t.Helper()
	found, err := filepath.Glob(u.path("tmp/devtun-run,*"))
	require.NoError(u.t, err)
	return found
}

// TestRunWithTheHelper reaches low ports, by names that everybody sees meanwhile.
func TestRunWithTheHelper(t *testing.T) {
	n := sharedExamples(t)
	before := hostsFile(t)
	u := newUser(t, allRule)
	for name, start := range map[string][]string{
		"as a user":  {devtunPath(), "run", "--hosts", "system"},
		"under sudo": {"sudo", "-n", devtunPath(), "run", "--hosts", "system"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append(start[1:], "-n", n.name, "--", "sh", "-c",
				"id -u; echo $HOME; curl -sS http://service-front/; grep -c '#devtun:' /etc/hosts")
			out, complaint, code := u.run(start[0], args...)
			require.Zero(t, code, complaint)
			require.Regexp(t,
				fmt.Sprintf(`(?s)^%d\n%s\nservice-front on service-front-.*service-back on service-back-\S+\n1\d\n$`, u.uid,
					u.home), out)
			require.NotContains(t, complaint, "warning")
			require.Equal(t, before, hostsFile(t))
		})
	}
}

// TestTheCommandAndItsChildrenEnd ends the command, or devtun, in every way, and
// then finds nothing of it.
func TestTheCommandAndItsChildrenEnd(t *testing.T) {
	n := sharedExamples(t)
	u := newUser(t, noRule)
	for _, c := range []struct {
		name string
		end  func(t *testing.T, d *devtun)
		code int
	}{
		{"by a signal that it takes", func(t *testing.T,
			d *devtun) {
			require.NoError(t, d.cmd.Process.Signal(os.Interrupt))
		}, 42},
		{"by one that it does not", func(t *testing.T,
			d *devtun) {
			require.NoError(t, d.cmd.Process.Signal(syscall.SIGUSR1))
		}, 128 + 10},
		{"with devtun", func(t *testing.T, d *devtun) { require.NoError(t, d.cmd.Process.Kill()) }, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			// One child in the background, one that has left its session.
			script := `trap 'exit 42' INT; sleep 1000 & setsid sleep 1000 & echo "{\"type\":\"ready\"}"; while :; do wait; done`
			d := u.started(u.command(devtunPath(), "run", "-n", n.name, "service-middle", "--", "bash", "-c", script))
			children := family(t, d.cmd.Process.Pid)
			require.GreaterOrEqual(t, len(children), 5) // devtun, its keeper, bash, two sleeps
			c.end(t, d)
			select {
			case <-d.exited:
			case <-time.After(endTimeout):
				require.FailNow(t, "devtun does not end")
			}
			require.Equal(t, c.code, d.cmd.ProcessState.ExitCode(), d.stderr.String())
			require.Eventually(t, func() bool {
				for _, p := range children {
					if alive(p) {
						return false
					}
				}
				return true
			}, endTimeout, 10*time.Millisecond)
		})
	}
	require.Len(t, u.privateFiles(), 1, "the killed devtun's")
	require.Regexp(t, `^removed the files that a devtun that has ended had for its command: \S+/devtun-run,\S+\n$`, u.clean())
	require.Empty(t, u.privateFiles())
}

// alive reports whether the very process runs, and not another one that got its number.
func alive(p process) bool {
	args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid))
	return err == nil && strings.TrimSuffix(string(args), "\x00") == strings.Join(p.args, "\x00")
}
