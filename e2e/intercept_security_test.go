package e2e

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/intercept/agent"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
)

// stranger speaks to an agent's session port as somebody who may forward ports,
// and nobody else, can.
type stranger struct {
	t      *testing.T
	pool   *tunnel.Pool
	pod    corev1.Pod
	config agent.Config
}

func newStranger(t *testing.T, pod corev1.Pod) *stranger {
	t.Helper()
	transport, err := tunnel.NewTransport(restConfig(t), tunnel.Auto)
	require.NoError(t, err)
	s := &stranger{t: t, pool: tunnel.NewPool(transport.Dial), pod: pod}
	t.Cleanup(func() { s.pool.Close() })
	for _, variable := range pod.Spec.Containers[0].Env {
		if variable.Name == agent.ConfigVariable {
			s.config, err = agent.ParseConfig(variable.Value)
			require.NoError(t, err)
		}
	}
	require.NotZero(t, s.config.LinkPort)
	return s
}

func (s *stranger) dial(ctx context.Context) tunnel.Conn {
	s.t.Helper()
	conn, err := s.pool.Dial(ctx, tunnel.Pod{Namespace: s.pod.Namespace, Name: s.pod.Name}, s.config.LinkPort)
	require.NoError(s.t, err)
	return conn
}

// greet says a hello of its own making and returns the answer's JSON.
func (s *stranger) greet(hello wire.Hello) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	conn := s.dial(ctx)
	defer conn.Close()
	defer context.AfterFunc(ctx, conn.Abort)()
	const magic = "devtun-agent\n"
	body, err := json.Marshal(hello)
	require.NoError(s.t, err)
	frame := append(binary.BigEndian.AppendUint16([]byte(magic), uint16(len(body))), body...)
	_, err = conn.Write(frame)
	require.NoError(s.t, err)
	head := make([]byte, len(magic)+2)
	_, err = io.ReadFull(conn, head)
	require.NoError(s.t, err)
	require.Equal(s.t, magic, string(head[:len(magic)]))
	answer := make([]byte, binary.BigEndian.Uint16(head[len(magic):]))
	_, err = io.ReadFull(conn, answer)
	require.NoError(s.t, err)
	return string(answer)
}

// session takes the developer's place.
func (s *stranger) session(end wire.End) (*wire.Link, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	return end.Dial(ctx, s.dial(ctx))
}

// TestTheSessionPortIsOutOfEveryPodsReach tries from another pod, and from the
// origin's.
func TestTheSessionPortIsOutOfEveryPodsReach(t *testing.T) {
	n := newNamespace(t).testserver("web", 1).testserver("other", 1)
	_, pod, _ := n.interceptWeb()
	s := newStranger(t, pod)
	from := func(deployment string, port int) (said string) {
		t.Helper()
		// The intercept moves the origin's pods: an exec may meet one on its way out.
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			var err error
			said, err = run(t.Context(), 20*time.Second, kubectlPath(t), "--kubeconfig", kubeconfig(), "exec", "-n", n.name,
				"deploy/"+deployment,
				"--", "/testserver", "dial", fmt.Sprintf("%s:%d", pod.Status.PodIP, port))
			assert.NoError(c, err, said)
		}, time.Minute, 200*time.Millisecond)
		return strings.TrimSpace(said)
	}
	for _, deployment := range []string{"other", "web"} {
		require.Equal(t, "connected", from(deployment, 8080), "the way is there")
		require.Contains(t, from(deployment, s.config.LinkPort), "connection refused")
	}
}

// TestStrangersAreRefused, and the developer's session does not notice.
func TestStrangersAreRefused(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	address, host := localServer(t)
	d, pod, at := n.interceptWeb("--to", address)
	s := newStranger(t, pod)
	mark := d.mark()
	right := wire.Hello{Version: wire.Version, Purpose: wire.ForLink, Name: s.config.Name, Identity: s.config.Identity}
	for name, c := range map[string]struct {
		hello  func(h *wire.Hello)
		answer string
	}{
		"another version": {func(h *wire.Hello) { h.Version = 99 },
			fmt.Sprintf(`{"version":%d,"refusal":{"code":"version","text":"the agent speaks version %d, this devtun speaks 99","version":%d}}`, wire.Version, wire.Version, wire.Version)},
		"another identity": {func(h *wire.Hello) { h.Identity = strings.Repeat("0", len(h.Identity)) },
			fmt.Sprintf(`{"version":%d,"refusal":{"code":"identity","text":"the agent belongs to another intercept of the same name: the identity differs","version":0}}`, wire.Version)},
		"no identity": {func(h *wire.Hello) { h.Identity = "" },
			fmt.Sprintf(`{"version":%d,"refusal":{"code":"identity","text":"the agent belongs to another intercept of the same name: the identity differs","version":0}}`, wire.Version)},
		"another intercept": {func(h *wire.Hello) { h.Name = "elsewhere" },
			fmt.Sprintf(`{"version":%d,"refusal":{"code":"name","text":"the agent belongs to intercept \"%s\", not to \"elsewhere\"","version":0}}`, wire.Version, s.config.Name)},
		"another purpose": {func(h *wire.Hello) { h.Purpose = "shell" },
			fmt.Sprintf(`{"version":%d,"refusal":{"code":"purpose","text":"the agent does not know the purpose \"shell\"","version":0}}`, wire.Version)},
	} {
		t.Run(name, func(t *testing.T) {
			hello := right
			c.hello(&hello)
			require.JSONEq(t, c.answer, jsonOf(t, s.greet(hello)))
		})
	}
	t.Run("as the developer's side reads it", func(t *testing.T) {
		_, err := s.session(wire.End{Name: s.config.Name, Identity: "another"})
		require.EqualError(t, err, "greet agent: the agent belongs to another intercept of the same name: the identity "+
			"differs")
	})
	t.Run("something else than devtun", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		conn := s.dial(ctx)
		defer conn.Close()
		defer context.AfterFunc(ctx, conn.Abort)()
		_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: agent\r\n\r\n")
		require.NoError(t, err)
		answer, _ := io.ReadAll(conn)
		require.Empty(t, string(answer), "it gets no word")
		require.NoError(t, ctx.Err(), "and is not kept waiting")
	})
	got, err := who(t.Context(), at(80))
	require.NoError(t, err)
	require.Equal(t, host+"\n", got)
	for _, e := range d.since(mark) {
		require.NotEqual(t, "agent", e.Type, "the developer's session stands: %+v", e)
	}
}

// jsonOf gives an answer the refusal's fields that are left out when empty.
func jsonOf(t *testing.T, answer string) string {
	t.Helper()
	var read struct {
		Version int           `json:"version"`
		Refusal *wire.Refusal `json:"refusal"`
	}
	require.NoError(t, json.Unmarshal([]byte(answer), &read), answer)
	again, err := json.Marshal(read)
	require.NoError(t, err)
	return string(again)
}

// TestTheAgentDialsNothingButTheOrigin, whatever is asked of it, be it by who
// knows the identity or by the cluster's clients.
func TestTheAgentDialsNothingButTheOrigin(t *testing.T) {
	n := newNamespace(t).testserver("web", 1).testserver("other", 1)
	_, pod, at := n.interceptWeb()
	s := newStranger(t, pod)

	for _, port := range s.config.Ports {
		host, _, found := strings.Cut(port.Origin, ":")
		require.True(t, found)
		origin, err := n.client.CoreV1().Services(n.name).Get(t.Context(), strings.Split(host, ".")[0], metav1.GetOptions{})
		require.NoError(t, err, "port %d: %s is a Service", port.Port, port.Origin)
		require.Equal(t, map[string]string{"app": "web"}, origin.Spec.Selector)
	}

	t.Run("the cluster's clients", func(t *testing.T) {
		// What a proxy would take for its orders goes to the origin as it is.
		for _, request := range []string{
			"GET http://other/who HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n",
			"GET /who HTTP/1.1\r\nHost: other." + n.name + ".svc.cluster.local\r\nConnection: close\r\n\r\n",
		} {
			conn := dial(t, at(80))
			_, err := io.WriteString(conn, request)
			require.NoError(t, err)
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			answer, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(string(answer), "web-"), "%s", answer)
		}
		conn := dial(t, at(80))
		_, err := io.WriteString(conn, "CONNECT other:7001 HTTP/1.1\r\nHost: other:7001\r\nConnection: close\r\n\r\n")
		require.NoError(t, err)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.GreaterOrEqual(t, response.StatusCode, 400)
	})

	t.Run("who has the identity", func(t *testing.T) {
		own := claim.Claim{ID: claim.NewID(), User: "stranger", Machine: "elsewhere"}
		session, err := s.session(wire.End{Name: s.config.Name, Identity: s.config.Identity, Claim: &own})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		ended := make(chan error, 1)
		go func() { ended <- (&wire.Developer{}).Run(ctx, session) }()
		t.Cleanup(func() { cancel(); <-ended })
		for kind, opening := range map[string]wire.Opening{
			"a connection":      {Kind: wire.KindConnection, Port: 8080, Client: "10.0.0.1:1"},
			"a kind of its own": {Kind: "shell", Client: "other:8080"},
			"a relay's":         {Kind: wire.KindDial, Dial: &wire.Dial{Network: "tcp", Host: "other", Port: 8080}},
		} {
			stream, err := session.Open(ctx, opening)
			require.NoError(t, err)
			_, err = io.ReadAll(stream)
			require.ErrorContains(t, err, "reset by the far side: the agent does not know streams of kind ", kind)
			stream.Close()
		}
	})
}
