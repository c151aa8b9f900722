package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/status"
)

// answering is a program that answers with a word of its environment and one of the
// container's, and ends when it is asked to.
const answering = `import http.server, os, sys, urllib.request
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/exit":
            os._exit(3)
        back = urllib.request.urlopen("http://service-back/", timeout=20).read().decode()
        said = " ".join([os.environ["WORD"], os.environ.get("SERVICE_BACK_SERVICE_HOST", "none"), os.getcwd(), back])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(said.encode())
    def log_message(self, *words):
        print("asked", self.path, flush=True)
print("listening", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
`

// write writes a file of the project.
func (f *folder) write(name, text string) {
	f.t.Helper()
	require.NoError(f.t, os.WriteFile(filepath.Join(f.path, name), []byte(text), 0o644))
}

// askMiddle asks service-middle in the cluster.
func (n *namespace) askMiddle(path string) (string, error) {
	said, err := n.client.CoreV1().Services(n.name).ProxyGet("http", "service-middle", "8080", path,
		nil).DoRaw(n.t.Context())
	return string(said), err
}

// middleSays waits until service-middle answers so.
func (n *namespace) middleSays(text string) (said string) {
	n.t.Helper()
	require.EventuallyWithT(n.t, func(c *assert.CollectT) {
		var err error
		said, err = n.askMiddle("/")
		assert.NoError(c, err)
		assert.Contains(c, said, text)
	}, time.Minute, pollEvery)
	return said
}

// TestUpRunsWhatAnswers is the whole inner loop: a request of the cluster is answered by the
// program that the project file has, which is started again as it changes or is asked for,
// and ends with the session.
func TestUpRunsWhatAnswers(t *testing.T) {
	n := newNamespace(t).examples()
	f := newProject(t, n)
	f.must("clean")
	hosts, before := hostsFile(t), n.trace()
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	f.write("answering.py", answering)
	f.file("forward: {services: [service-back]}\nintercepts:\n- workload: service-middle\n  ports: ['" + port +
		":8080']\n  run: {command: python3 answering.py " + port + ", env: {WORD: first}}\n")
	out := f.must("up", "--detach")
	require.Contains(t, n.middleSays("first "), f.path+" service-back on",
		"in the file's folder, with the services' names")
	said, err := n.askMiddle("/")
	require.NoError(t, err)
	require.NotContains(t, said, "none", "with the container's environment")
	s := f.status()
	require.Len(t, s.Runs, 1)
	require.Equal(t, status.Running, s.Runs[0].State)
	require.Eventually(t, func() bool { return strings.Contains(f.must("logs"), "asked /\n") }, readyTimeout,
		50*time.Millisecond, "what it says is in the log: %s", out)

	// What goes over the file has it started again, and the intercept stays.
	f.write("devtun.local.yaml", "intercepts:\n- {workload: service-middle, run: {env: {WORD: second}}}\n")
	require.Contains(t, f.must("up", "--detach"), "changed: program service-middle was recreated\n")
	n.middleSays("second ")

	// It ends by itself: the cluster answers, and the session goes on.
	_, err = n.askMiddle("/exit")
	require.Error(t, err)
	n.middleSays("service-middle on ")
	require.Eventually(t, func() bool {
		return strings.Contains(f.must("logs"), "service-middle has ended with exit code 3")
	}, readyTimeout, 50*time.Millisecond)
	require.Equal(t, 3, f.status().Runs[0].ExitCode)
	f.must("restart", "service-middle")
	n.middleSays("second ")

	f.must("down")
	require.Equal(t, hosts, hostsFile(t))
	n.noAgents()
	n.asTraced(before)
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err, "nothing is left of the program")
	listener.Close()
}
