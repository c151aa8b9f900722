package agent

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/plan"
)

// ready runs "devtun-agent ready" in the agent's pod.
func (w *world) ready(identity string) (code int, said string) {
	w.t.Helper()
	_, at, err := net.SplitHostPort(w.address("tcp", "127.0.0.1", sessionPort))
	require.NoError(w.t, err)
	var stderr strings.Builder
	config := fmt.Sprintf(`{"version":1,"name":"service-middle","identity":%q,"mode":"replace","grace":"1m","sessionPort":%s,"ports":[{"port":8080}]}`, identity, at)
	code = Main([]string{"ready"}, []string{ConfigVariable + "=" + config}, &stderr)
	return code, stderr.String()
}

func TestReadyAsksTheAgent(t *testing.T) {
	w := newWorld(t, greet("origin"))
	code, said := w.ready("4f1c")
	require.Zero(t, code, said)
	code, said = w.ready("other")
	require.Equal(t, 1, code)
	require.Contains(t, said, "the identity differs")
	w.stop()
	<-w.ended
	code, said = w.ready("4f1c")
	require.Equal(t, 1, code)
	require.Contains(t, said, "refused")
}

// TestReadyInReplaceMode keeps connections away as long as nobody would take
// them.
func TestReadyInReplaceMode(t *testing.T) {
	w := newWorld(t, greet("origin"), func(a *Agent) { a.Config.Mode, a.Config.Ports[0].Origin = plan.Replace, "" })
	code, said := w.ready("4f1c")
	require.Equal(t, 1, code)
	require.Contains(t, said, "no developer has connected yet")
	l := w.connect(to(serve(t, greet("local"))))
	code, said = w.ready("4f1c")
	require.Zero(t, code, said)
	l.session.Close()
	<-l.ended
	code, said = w.ready("4f1c")
	require.Zero(t, code, "connections wait for the developer: %s", said)

	held := make(chan string, 1)
	go func() { held <- w.who() }()
	w.eventually(func() bool { return w.agent.clients.count() == 1 })
	w.agent.drain("the workload is restored")
	require.Contains(t, <-held, "reset", "it finds the workload when it tries again")
	code, said = w.ready("4f1c")
	require.Equal(t, 1, code)
	require.Contains(t, said, "the workload is restored")
}

func TestAnAgentThatCannotListenIsNotReady(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, at, err := net.SplitHostPort(taken.Addr().String())
	require.NoError(t, err)
	number, err := strconv.Atoi(at)
	require.NoError(t, err)
	a := New(Config{SessionPort: number, Ports: nil}, nil)
	require.ErrorContains(t, a.Run(t.Context()), "listen: ")
}
