package agent

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/plan"
)

// ready asks as the kubelet does, and returns why the agent is not ready.
func (w *world) ready() (why string) {
	w.t.Helper()
	client := http.Client{Timeout: soon, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + w.address("tcp", "", readyPort) + ReadyPath)
	require.NoError(w.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(w.t, err)
	want := http.StatusOK
	if len(text) > 0 {
		want = http.StatusServiceUnavailable
	}
	require.Equal(w.t, want, response.StatusCode, string(text))
	return string(text)
}

func TestReadyAtOnce(t *testing.T) {
	w := newWorld(t, greet("origin"))
	require.Empty(t, w.ready())
	w.agent.drain("the intercept is ending")
	require.Empty(t, w.ready(), "the origin takes them")
}

// TestReadyInReplaceMode keeps connections away as long as nobody would take
// them.
func TestReadyInReplaceMode(t *testing.T) {
	w := newWorld(t, greet("origin"), func(a *Agent) { a.Config.Mode, a.Config.Ports[0].Origin = plan.Replace, "" })
	require.Equal(t, "no developer has connected yet\n", w.ready())
	l := w.connect(to(serve(t, greet("local"))))
	require.Empty(t, w.ready())
	l.link.Close()
	<-l.ended
	require.Empty(t, w.ready(), "connections wait for the developer")

	held := make(chan string, 1)
	go func() { held <- w.who() }()
	w.eventually(func() bool { return w.agent.clients.count() == 1 })
	w.agent.drain("the workload is restored")
	require.Contains(t, <-held, "reset", "it finds the workload when it tries again")
	require.Equal(t, "the agent takes no more connections: the workload is restored\n", w.ready())
}

// TestTheReadyPortSaysNothingElse to whom it does not concern.
func TestTheReadyPortSaysNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greet("origin"))
	for request, answer := range map[string]string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n":       "HTTP/1.1 404 Not Found\r\n",
		"POST /ready HTTP/1.1\r\nHost: x\r\n\r\n": "HTTP/1.1 405 Method Not Allowed\r\n",
		"devtun-agent\n\x00\x02{}\r\n\r\n":        "HTTP/1.1 400 Bad Request\r\n",
		"GET /ready HTTP/1.1\r\nX: " + strings.Repeat("x", 64<<10) +
			"\r\n\r\n": "HTTP/1.1 431 Request Header Fields Too Large\r\n",
		"GET /ready HTTP/1.1\r\n" /* and no more: until readyTimeout has passed */ : "",
	} {
		conn := dialTCP(t, w.address("tcp", "", readyPort))
		io.WriteString(conn, request)
		got, _ := io.ReadAll(conn) // which a reset may end
		require.True(t, strings.HasPrefix(string(got), answer), "%.30q: %q", request, got)
	}
	require.Empty(t, w.ready())
}

func TestAnAgentThatCannotListenEnds(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, at, err := net.SplitHostPort(taken.Addr().String())
	require.NoError(t, err)
	number, err := strconv.Atoi(at)
	require.NoError(t, err)
	a := New(Config{LinkPort: number, Ports: nil}, nil)
	require.ErrorContains(t, a.Run(t.Context()), "listen: ")
}
