package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/status"
)

// sessions are what `devtun status` says of all of them, by name.
func (f *folder) sessions() map[string]status.Snapshot {
	f.t.Helper()
	out, complaint, code := f.run("status", "-o", "json")
	require.Contains(f.t, []int{0, exitNoSession}, code, complaint)
	all := make(map[string]status.Snapshot)
	for line := range strings.Lines(out) {
		var s status.Snapshot
		require.NoError(f.t, json.Unmarshal([]byte(line), &s))
		all[s.Session] = s
	}
	return all
}

// TestCommandsInTheForeground are found by status and ended by down, and what is on a
// local process's ports is said before COMMAND starts: the forwards of this session and of
// others, and a process that listens there already.
func TestCommandsInTheForeground(t *testing.T) {
	n := newNamespace(t).testserver("web", 1).testserver("store", 1)
	f := newProject(t, n)
	before, hosts := n.trace(), hostsFile(t)
	listener, err := net.Listen("tcp", "127.0.0.1:9000") // a port of web's container, and of store
	require.NoError(t, err)
	defer listener.Close()
	already := fmt.Sprintf("(pid %d), started as ", os.Getpid())

	d := launch(t, f.command("forward", "store", "-n", n.name, "-o", "json"))
	d.await("ready", readyTimeout, func(e event) bool { return e.Type == "ready" })
	forward := fmt.Sprintf("forward.%d", d.cmd.Process.Pid)
	s := f.sessions()[forward]
	require.Equal(t, status.Ready, s.State)
	require.Equal(t, "store", s.Services[0].Service)

	// An intercept with a command; its own forwards are not in the way, another's are.
	cmd := f.command("intercept", "web", "-n", n.name, "--no-forward", "--", "sleep", "1000")
	var said strings.Builder
	cmd.Stderr = &said
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	name := fmt.Sprintf("intercept.%d", cmd.Process.Pid)
	require.Eventually(t, func() bool {
		s := f.sessions()[name]
		return len(s.Intercepts) == 1 && s.Intercepts[0].State == status.Standing && s.State == status.Ready
	}, time.Minute, 100*time.Millisecond)
	require.Contains(t, f.must("down", name), "ended: session "+name)
	select {
	case <-ended:
	case <-time.After(endTimeout):
		cmd.Process.Kill()
		require.FailNow(t, "it goes on", (<-ended).Error())
	}
	require.Equal(t, 143, cmd.ProcessState.ExitCode(), "the command's: %s", said.String())
	require.Contains(t, said.String(), "note: the forward of store (session "+forward+
		") uses port 7000 too: the process here cannot listen there on all addresses\n")
	require.Contains(t, said.String(), "\nhint: have the process listen on localhost alone")
	require.Regexp(t, `note: .* \(pid \d+\), started as ".*", listens on localhost:9000 already, and is not COMMAND`,
		said.String())
	require.Contains(t, said.String(), already)
	n.noAgents()
	n.asTraced(before)

	// The same of a session in the background.
	f.file("forward: {services: [store]}\nintercepts: [{workload: web}]\n")
	_, said2, code := f.run("up", "--detach")
	require.Zero(t, code, said2)
	require.Contains(t, said2, "note: the forward of store, store (session "+forward+") uses port 7000 too")
	require.Contains(t, said2,
		"hint: have the process listen on localhost alone or on another port (ports: [LOCAL:PORT])")
	require.Contains(t, said2, "listens on localhost:9000 already: the cluster's requests go there")
	require.Len(t, f.sessions(), 2)
	f.must("down") // which means that of the project file
	require.Contains(t, f.must("down"), "in the foreground: "+forward)

	require.Contains(t, f.must("down", forward), "ended: session "+forward)
	<-d.exited
	require.NoError(t, d.err)
	require.Empty(t, f.sessions())
	require.Equal(t, hosts, hostsFile(t))
	n.asTraced(before)
}
