package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/devtun/devtun/e2e/testbed"
)

// user is somebody with an account on this machine, a group beside the own one, a
// home, and a kubeconfig in it whose credentials come from a plugin.
type user struct {
	t        *testing.T
	name     string
	home     string
	uid, gid uint32
	groups   []uint32
}

const password = "correct horse"

var users atomic.Int32

// What sudo may let a user do.
const (
	helperRule   = "ALL=(root) NOPASSWD: DEVTUN helper" // as the README has it
	allRule      = "ALL=(root) NOPASSWD: ALL"
	passwordRule = "ALL=(root) ALL"
	noRule       = ""
	// ptyRule has sudo run the helper on a terminal of its own, as newer ones do.
	ptyRule = helperRule + "\nDefaults:USER use_pty"
)

// newUser makes a user for the test, with a rule of sudo. The account is in this
// test's /etc only.
func newUser(t *testing.T, rule string) *user {
	t.Helper()
	number := users.Add(1)
	u := &user{t: t, name: fmt.Sprintf("devtun-e2e-%d", number),
		home: filepath.Join(home, fmt.Sprintf("home-%d", number))}
	system := func(stdin, program string, args ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s %s: %s", program, args, out)
	}
	system("", "groupadd", "-f", "devtun-e2e")
	system("", "useradd", "--uid", u.freeID(number), "--user-group", "--create-home", "--home-dir", u.home, "--shell",
		"/bin/bash", "--groups", "devtun-e2e", u.name)
	system(u.name+":"+password, "chpasswd")
	u.uid, u.gid = u.id("-u")[0], u.id("-g")[0]
	u.groups = u.id("-G")
	slices.Sort(u.groups) // as the kernel keeps them
	require.Len(t, u.groups, 2)
	sudoers := "Defaults:" + u.name + " lecture=never, timestamp_timeout=0\n"
	if rule != noRule {
		sudoers += u.name + " " + strings.NewReplacer("DEVTUN", devtunPath(), "USER", u.name).Replace(rule) + "\n"
	}
	require.NoError(t, os.WriteFile("/etc/sudoers.d/"+u.name, []byte(sudoers), 0o440))
	t.Cleanup(func() { require.NoError(t, os.Remove("/etc/sudoers.d/"+u.name)) })
	u.writeKubeconfig()
	u.write("tmp/.keep", "", 0o600)
	return u
}

// freeID is a number for an account that no other machine at a time gives: processes
// are seen by all.
func (u *user) freeID(number int32) string {
	u.t.Helper()
	machine, err := strconv.Atoi(testbed.Number())
	require.NoError(u.t, err)
	return fmt.Sprint(20_000 + 100*int32(machine) + number)
}

func (u *user) id(flag string) (numbers []uint32) {
	u.t.Helper()
	out, err := exec.Command("id", flag, u.name).Output()
	require.NoError(u.t, err)
	for _, word := range strings.Fields(string(out)) {
		number, err := strconv.ParseUint(word, 10, 32)
		require.NoError(u.t, err)
		numbers = append(numbers, uint32(number))
	}
	return numbers
}

// writeKubeconfig puts a kubeconfig where every client looks for it. Its plugin
// notes as whom and with which home it ran.
func (u *user) writeKubeconfig() {
	u.t.Helper()
	config := adminConfig(u.t)
	name := config.Contexts[config.CurrentContext].AuthInfo
	admin := config.AuthInfos[name]
	credential, err := json.Marshal(map[string]any{
		"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
		"status": map[string]string{"clientCertificateData": string(admin.ClientCertificateData),
			"clientKeyData": string(admin.ClientKeyData), "token": admin.Token},
	})
	require.NoError(u.t, err)
	u.write("credential.json", string(credential), 0o600)
	u.write("plugin", fmt.Sprintf("#!/bin/sh\nPATH=/usr/bin:/bin\necho \"$(id -u) $(id -ru) $(id -G | tr ' ' '\\n' | "+
		"sort -n | xargs) $HOME $USER\" >> %s\ncat %s\n", u.path("plugin.log"), u.path("credential.json")), 0o755)
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
		Command: u.path("plugin"), APIVersion: "client.authentication.k8s.io/v1",
		InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
	}}
	text, err := clientcmd.Write(*config)
	require.NoError(u.t, err)
	u.write(".kube/config", string(text), 0o600)
}

func (u *user) path(name string) string { return filepath.Join(u.home, name) }

func (u *user) write(name, content string, mode os.FileMode) {
	u.t.Helper()
	file := u.path(name)
	require.NoError(u.t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(u.t, os.Chown(filepath.Dir(file), int(u.uid), int(u.gid)))
	require.NoError(u.t, os.WriteFile(file, []byte(content), mode))
	require.NoError(u.t, os.Chmod(file, mode))
	require.NoError(u.t, os.Chown(file, int(u.uid), int(u.gid)))
}

// pluginRuns are the lines that the plugin has written.
func (u *user) pluginRuns() []string {
	u.t.Helper()
	text, err := os.ReadFile(u.path("plugin.log"))
	require.NoError(u.t, err)
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// command is a program that the user starts in the home directory, without a
// terminal.
func (u *user) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = u.home
	cmd.Env = []string{"HOME=" + u.home, "USER=" + u.name, "LOGNAME=" + u.name, "PATH=/usr/local/bin:/usr/bin:/bin",
		"TERM=xterm-256color", "LANG=C.UTF-8", "TMPDIR=" + u.path("tmp")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: u.uid, Gid: u.gid, Groups: u.groups},
		Setsid: true}
	return cmd
}

// run runs a program to its end and returns what it printed and its exit code.
func (u *user) run(program string, args ...string) (stdout, stderr string, code int) {
	u.t.Helper()
	return u.runFor(refuseTimeout, program, args...)
}

// runFor is run for a program that may take its time.
func (u *user) runFor(testTimeout time.Duration, program string, args ...string) (stdout, stderr string, code int) {
	u.t.Helper()
	cmd := u.command(program, args...)
	var out, complaint strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaint
	require.NoError(u.t, cmd.Start())
	late := time.AfterFunc(testTimeout, func() { cmd.Process.Kill() })
	defer late.Stop()
	cmd.Wait()
	return out.String(), complaint.String(), cmd.ProcessState.ExitCode()
}

// forward starts `devtun forward` as the user would, and waits until it is ready.
func (u *user) forward(args ...string) *devtun {
	u.t.Helper()
	return u.started(u.command(devtunPath(), append([]string{"forward", "-o", "json"}, args...)...))
}

// sudoForward is the same under sudo.
func (u *user) sudoForward(args ...string) *devtun {
	u.t.Helper()
	return u.started(u.command("sudo", append([]string{"-n", devtunPath(), "forward", "-o", "json"}, args...)...))
}

func (u *user) started(cmd *exec.Cmd) *devtun {
	u.t.Helper()
	d := launch(u.t, cmd)
	d.await("ready", readyTimeout, func(e event) bool { return e.Type == "ready" })
	return d
}

// process is a row of the kernel's table.
type process struct {
	pid, parent int
	state       string // "S" sleeps
	args        []string
}

// family is a process and all that descend from it.
func family(t *testing.T, pid int) []process {
	t.Helper()
	table := make(map[int]process)
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		var p process
		p.pid, _ = strconv.Atoi(filepath.Base(filepath.Dir(file)))
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		p.state = fields[0]
		p.parent, _ = strconv.Atoi(fields[1])
		args, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		p.args = strings.Split(strings.TrimSuffix(string(args), "\x00"), "\x00")
		table[p.pid] = p
	}
	var found []process
	for _, p := range table {
		for up, ok := p, true; ok; up, ok = table[up.parent] {
			if up.pid == pid {
				found = append(found, p)
				break
			}
		}
	}
	return found
}

// member finds the one process of a family whose command line is program with
// args; 0 for none. A child that is about to run another program has its parent's
// command line, and does not count.
func (d *devtun) member(args ...string) int {
	d.t.Helper()
	found := make(map[int]process)
	for _, p := range family(d.t, d.cmd.Process.Pid) {
		if len(p.args) > len(args) && p.args[0] == devtunPath() &&
			strings.Join(p.args[1:len(args)+1], " ") == strings.Join(args, " ") {
			found[p.pid] = p
		}
	}
	pid := 0
	for _, p := range found {
		if _, forked := found[p.parent]; !forked {
			require.Zero(d.t, pid, "there are two")
			pid = p.pid
		}
	}
	return pid
}

func (d *devtun) helper() int { return d.member("helper") }
func (d *devtun) main() int   { return d.member("forward") }
