package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// killHard kills a process as no program wants to be killed.
func killHard(t *testing.T, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		require.Greater(t, pid, 1)
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	}
}

// freeze stops a process, and returns when none of its threads runs any more.
func freeze(t *testing.T, pid int) {
	t.Helper()
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	require.Eventually(t, func() bool {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		return err == nil && len(threads) > 0 && !slices.ContainsFunc(threads, func(path string) bool {
			stat, err := os.ReadFile(path) // proc_pid_stat(5): PID (NAME) STATE …
			_, rest, _ := strings.Cut(string(stat), ") ")
			return err == nil && !strings.HasPrefix(rest, "T")
		})
	}, endTimeout, time.Millisecond)
}

// forgotten waits for devtun's end after a kill.
func (d *devtun) forgotten() {
	d.t.Helper()
	select {
	case <-d.exited:
	case <-time.After(endTimeout):
		require.FailNow(d.t, "devtun lives on")
	}
}

// clean runs `devtun clean` and returns what it says it did, but for the places that
// killed commands have left in the directory of sessions.
func (u *user) clean() string {
	u.t.Helper()
	out, complaint, code := u.run(devtunPath(), "clean")
	require.Zero(u.t, code, complaint)
	if rest := placeLeft.ReplaceAllString(out, ""); rest != "" {
		return rest
	}
	return "nothing to clean\n"
}

var placeLeft = regexp.MustCompile(`(?m)^removed what session (forward|run)\.\d+ has left\n`)

// TestTheMainProcessIsKilled: the helper takes the names out at once.
func TestTheMainProcessIsKilled(t *testing.T) {
	n := sharedWeb(t)
	before := hostsFile(t)
	for name, forward := range map[string]func(u *user) *devtun{
		"as a user":  func(u *user) *devtun { return u.forward("-n", n.name) },
		"under sudo": func(u *user) *devtun { return u.sudoForward("-n", n.name) },
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t, allRule)
			d := forward(u)
			require.NotEqual(t, before, hostsFile(t))
			helper := process{pid: d.helper(), args: []string{devtunPath(), "helper"}}
			killHard(t, d.main())
			d.forgotten()
			awaitHosts(t, before)
			require.Eventually(t, func() bool { return !alive(helper) }, endTimeout, 10*time.Millisecond, "the helper lives on")
			require.Equal(t, "nothing to clean\n", u.clean())
		})
	}
}

// TestTheHelperIsKilled: names, listeners and connections stay, and another helper
// does what comes next.
func TestTheHelperIsKilled(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	before := hostsFile(t)
	u := newUser(t, helperRule)
	d := u.forward("-n", n.name)
	conn := connect(t, d.addr("web", 80), 7000)
	talk(t, conn, "hello\n")
	first := d.helper()
	killHard(t, first)
	require.Contains(t, get(t, "curl", "http://web/who"), "web-")
	talk(t, conn, "still there\n")

	n.testserver("later", 1)
	d.state("later", "ready", 20*time.Second)
	require.Contains(t, get(t, "curl", "http://later/who"), "later-")
	require.Contains(t, get(t, "curl", "http://web/who"), "web-")
	require.NotZero(t, d.helper())
	require.NotEqual(t, first, d.helper())
	require.Equal(t, 2, len(names(t)), "the first helper's names are the second's")
	d.stop()
	require.Equal(t, before, hostsFile(t))
}

// TestTheHelperIsKilledForGood: if no other is to be had, the end says so, and
// clean does what is left.
func TestTheHelperIsKilledForGood(t *testing.T) {
	n := sharedWeb(t)
	before := hostsFile(t)
	u := newUser(t, helperRule)
	d := u.forward("-n", n.name)
	rule := "/etc/sudoers.d/" + u.name
	allowed, err := os.ReadFile(rule)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(rule, nil, 0o440))
	killHard(t, d.helper())
	require.Contains(t, get(t, "curl", "http://web/who"), "web-")
	require.NoError(t, d.cmd.Process.Signal(os.Interrupt))
	d.forgotten()
	require.Equal(t, exitMachine, d.cmd.ProcessState.ExitCode(), d.stderr.String())
	require.Contains(t, d.stderr.String(), "devtun: error: remove names: ")
	require.Contains(t, d.stderr.String(),
		"hint: the names stay in the hosts file until the next devtun, or 'devtun clean', removes them\n")

	require.NoError(t, os.WriteFile(rule, allowed, 0o440))
	require.Regexp(t, `^removed the names of a devtun that has ended \(pid \d+\) from /etc/hosts\n$`, u.clean())
	require.Equal(t, before, hostsFile(t))
	require.Equal(t, "nothing to clean\n", u.clean())
}

// TestBothAreKilled: the next devtun, or clean, takes the names out.
func TestBothAreKilled(t *testing.T) {
	n := sharedWeb(t)
	before := hostsFile(t)
	u := newUser(t, helperRule)
	kill := func() {
		t.Helper()
		d := u.forward("-n", n.name)
		main, helper := d.main(), d.helper()
		goOn := d.sudoGoesOn()
		freeze(t, helper) // so that it cannot clean up in between
		killHard(t, main, helper)
		goOn()
		d.forgotten()
		require.NotEqual(t, before, hostsFile(t))
	}
	kill()
	require.Regexp(t, `^removed the names of a devtun that has ended \(pid \d+\) from /etc/hosts\n$`, u.clean())
	require.Equal(t, before, hostsFile(t))

	kill()
	d := u.forward("-n", n.name)
	require.Len(t, names(t), 1)
	d.stop()
	require.Equal(t, before, hostsFile(t))
}

// TestTheMachineIsRebooted changes the boot id under a devtun that never ended.
func TestTheMachineIsRebooted(t *testing.T) {
	n := sharedWeb(t)
	before := hostsFile(t)
	u := newUser(t, helperRule)
	d := u.forward("-n", n.name)
	main, helper := d.main(), d.helper()
	goOn := d.sudoGoesOn()
	for _, pid := range []int{main, helper} { // the machine takes them by surprise
		freeze(t, pid)
	}
	require.Equal(t, "nothing to clean\n", u.clean(), "a devtun that is stopped is not dead")

	boot := filepath.Join(t.TempDir(), "boot_id")
	require.NoError(t, os.WriteFile(boot, []byte("00000000-1111-2222-3333-444444444444\n"), 0o644))
	const bootID = "/proc/sys/kernel/random/boot_id"
	require.NoError(t, syscall.Mount(boot, bootID, "", syscall.MS_BIND, ""))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(bootID, 0)) })
	require.Regexp(t, fmt.Sprintf(`^removed the names of a devtun that has ended \(pid %d\) from /etc/hosts\n$`, main),
		u.clean())
	require.Equal(t, before, hostsFile(t))
	killHard(t, main, helper)
	goOn()
	d.forgotten()
}

// sudoGoesOn finds the sudo that has started the helper; it stops with that, and
// does not go on by itself when that has been killed.
func (d *devtun) sudoGoesOn() (goOn func()) {
	d.t.Helper()
	for _, p := range family(d.t, d.cmd.Process.Pid) {
		if filepath.Base(p.args[0]) == "sudo" && p.args[len(p.args)-1] == "helper" {
			return func() { syscall.Kill(p.pid, syscall.SIGCONT) } // it may have ended
		}
	}
	require.FailNow(d.t, "no sudo has started the helper")
	return nil
}

// TestAnotherToolRewritesTheHostsFile: our names come back once for each time, and
// everything else stays as the tool wants it.
func TestAnotherToolRewritesTheHostsFile(t *testing.T) {
	n := sharedWeb(t)
	before := hostsFile(t)
	t.Cleanup(func() { require.NoError(t, os.WriteFile("/etc/hosts", []byte(before), 0o644)) })
	u := newUser(t, helperRule)
	d := u.forward("-n", n.name)
	notes := func() (count int) {
		for _, e := range d.since(0) {
			if e.Type == "warning" {
				require.Equal(t, "another program took devtun's names out of the hosts file; they are back", e.Message)
				count++
			}
		}
		return count
	}
	for round, rewrite := range []string{
		`sed -i '/#devtun:/d' /etc/hosts`,                                                  // by renaming
		`grep -v '#devtun:' /etc/hosts > /tmp/h$$; cat /tmp/h$$ > /etc/hosts; rm /tmp/h$$`, // in place
		`echo '10.9.9.9 mine # new' > /etc/hosts.new; mv /etc/hosts.new /etc/hosts`,        // all new
		`rm /etc/hosts; echo '10.9.9.9 mine # new' > /etc/hosts`,                           // gone for a moment
	} {
		out, err := exec.Command("sh", "-c", rewrite).CombinedOutput()
		require.NoError(t, err, string(out))
		require.Eventually(t, func() bool { return notes() == round+1 && len(names(t)) == 1 }, 20*time.Second,
			10*time.Millisecond, rewrite)
		require.Contains(t, get(t, "curl", "http://web/who"), "web-", rewrite)
	}
	require.Equal(t, 4, notes())
	d.stop()
	require.Equal(t, "10.9.9.9 mine # new\n", hostsFile(t))
}

// TestTheHostsFileBecomesReadOnly: what cannot be written is said, and written as
// soon as it can be.
func TestTheHostsFileBecomesReadOnly(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	before := hostsFile(t)
	u := newUser(t, helperRule)
	d := u.forward("-n", n.name)
	require.NoError(t, syscall.Mount("/etc/hosts", "/etc/hosts", "", syscall.MS_BIND, ""))
	require.NoError(t, syscall.Mount("", "/etc/hosts", "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""))
	mounted := true
	unmount := func() {
		if mounted {
			require.NoError(t, syscall.Unmount("/etc/hosts", 0))
		}
		mounted = false
	}
	t.Cleanup(unmount)
	n.testserver("later", 1)
	d.await("the word that names cannot be written", 20*time.Second, func(e event) bool {
		return e.Type == "warning" && strings.HasPrefix(e.Message, "write names: ") &&
			strings.Contains(e.Message, "read-only file system")
	})
	require.Contains(t, get(t, "curl", "http://web/who"), "web-")
	unmount()
	require.Eventually(t, func() bool { return len(names(t)) == 2 }, 20*time.Second, 10*time.Millisecond)
	require.Contains(t, get(t, "curl", "http://later/who"), "later-")
	d.stop()
	require.Equal(t, before, hostsFile(t))
}
