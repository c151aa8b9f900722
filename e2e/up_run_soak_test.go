//go:build soak

package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// block is what 'devtun init' has as comments that belong together.
var block = regexp.MustCompile(`(?m)^#[a-z]+:\n(?:#  .*\n)+`)

// TestSoakEachBlockOfAFirstProject works when it is taken in.
func TestSoakEachBlockOfAFirstProject(t *testing.T) {
	n := newNamespace(t).examples()
	f := newProject(t, n)
	f.must("clean")
	before := n.trace()
	f.write("main.py", "import time\nprint('here', flush=True)\ntime.sleep(1000)\n")
	f.must("init", "-n", n.name)
	text, err := os.ReadFile(filepath.Join(f.path, "devtun.yaml"))
	require.NoError(t, err)
	require.NotContains(t, string(text), "context:")
	var all []string
	for _, commented := range block.FindAllString(string(text), -1) {
		taken := strings.ReplaceAll("\n"+commented, "\n#", "\n")
		all = append(all, strings.Fields(taken)[0])
		f.write("devtun.yaml", strings.Replace(strings.Replace(string(text), commented, taken, 1), "python main.py",
			"python3 main.py", 1))
		f.must("up", "--detach")
		f.must("down")
		n.asTraced(before)
	}
	require.Equal(t, []string{"forward:", "intercepts:", "run:", "env:"}, all)
}

// TestSoakUpRunIsKilled with its session: nothing is left of the program, or of what it has
// started.
func TestSoakUpRunIsKilled(t *testing.T) {
	n := newNamespace(t).examples()
	f := newProject(t, n)
	f.must("clean")
	f.file("forward: {services: [service-back]}\nrun:\n  web: [sh, -c, 'setsid sleep 4711 & echo $$$$ $$! >pids; " +
		"trap \"\" TERM; while :; do sleep 0.1; done']\n")
	f.must("up", "--detach")
	var pids [2]int
	require.Eventually(t, func() bool {
		text, _ := os.ReadFile(filepath.Join(f.path, "pids"))
		_, err := fmt.Sscan(string(text), &pids[0], &pids[1])
		return err == nil
	}, readyTimeout, 10*time.Millisecond)
	require.NoError(t, syscall.Kill(f.status().PID, syscall.SIGKILL))
	for _, pid := range pids {
		require.Eventually(t, func() bool { return syscall.Kill(pid, 0) == syscall.ESRCH }, 30*time.Second,
			20*time.Millisecond)
	}
	f.must("clean")
}

// TestSoakUpRunsSeveral in the foreground: each line has the name of who has said it, one has
// the environment of a workload, and Ctrl-C costs nobody a request.
func TestSoakUpRunsSeveral(t *testing.T) {
	n := newNamespace(t).examples()
	n.apply(idle)
	f := newProject(t, n)
	f.must("clean")
	hosts, before := hostsFile(t), n.trace()
	_, port, err := net.SplitHostPort(freeAddress(t))
	require.NoError(t, err)
	f.write("answering.py", strings.NewReplacer("said = ", fmt.Sprintf("said = %q + ", developerSays),
		`urllib.request.urlopen("http://service-back/", timeout=20).read().decode()`, `""`).Replace(answering))
	f.write(".env", "WHO_SAYS=me\n")
	f.file("forward: {services: [service-back]}\nintercepts:\n- workload: service-middle\n  ports: ['" + port +
		":8080']\n  moveConnections: force\n  run: {command: python3 answering.py " + port +
		", env: [WORD=several]}\nrun:\n  worker:\n    command: [sh, -c, 'echo \"$$WHO $$PASSWORD ${WHO_SAYS}\"; cat " +
		"/etc/worker/config.yaml; exit 5']\n    as: deploy/worker\n    container: main\n")
	l := n.loader()
	cmd := f.command("up")
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = &out, &complaint, &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill() })
	l.until("the program answers", byDeveloper)
	require.Zero(t, l.lost("it comes up"))
	require.Eventually(t, func() bool {
		s := f.status()
		return len(s.Runs) == 2 && s.Runs[1].State == "ended" && s.Runs[1].ExitCode == 5
	}, readyTimeout, 20*time.Millisecond)
	require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)) // as a terminal does
	require.NoError(t, cmd.Wait(), complaint.String())
	require.Zero(t, l.lost("it ends"))
	require.Contains(t, out.String(), "worker         | main p@ss'$(word) me\nworker         | colour: blue\n")
	require.Contains(t, out.String(), "service-middle | listening\n")
	require.Contains(t, complaint.String(), "warning: worker has ended with exit code 5\n")
	require.Equal(t, hosts, hostsFile(t))
	n.noAgents()
	n.asTraced(before)
	n.nothingLeft(time.Minute)
}

// TestSoakUpDryRun says what would be, and changes nothing.
func TestSoakUpDryRun(t *testing.T) {
	n := newNamespace(t).examples()
	f := newProject(t, n)
	f.must("clean")
	hosts, before := hostsFile(t), n.trace()
	f.file("forward: {services: [service-front, service-back]}\nenv: [{workload: deploy/service-front, envFile: " +
		".front}]\n" +
		"intercepts:\n- {workload: service-middle, ports: ['19095:8080'], run: sleep 1000}\n")
	out := f.must("up", "--dry-run")
	for _, said := range []string{"# forward service-back:80\n# forward service-front:80\n",
		"# environment of deploy/service-front, to " + f.path + "/.front\n",
		"# run service-middle in " + f.path + ": sleep 1000\n", "# Intercept of Deployment \"service-middle\"", "# swap: "} {
		require.Contains(t, out, said)
	}
	for _, document := range strings.Split(out, "\n---\n") {
		require.NoError(t, yaml.Unmarshal([]byte(document), new(any)), document)
	}
	require.Equal(t, hosts, hostsFile(t))
	n.noAgents()
	n.asTraced(before)
	f.must("up", "--detach")
	require.Contains(t, f.must("up", "--dry-run"), "# intercept service-middle, which stands already\n")
	f.must("down")
}
