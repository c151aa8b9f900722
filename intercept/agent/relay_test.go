package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/relay"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/duplex"
)

// api is a namespace of one pod, the relay's.
type api struct{}

func (api) Get(_ context.Context, path string) ([]byte, error) {
	items := []any{}
	if strings.Contains(path, "metadata.name") {
		items = append(items, map[string]any{"status": map[string]any{"hostIP": "192.168.0.1"}})
	}
	return json.Marshal(map[string]any{"items": items})
}

// relayWorld is a relay on this machine's loopback, and a session's link to it.
type relayWorld struct {
	*world
	claim claim.Claim
	link  *wire.Link
}

// newRelay starts a relay for a claim that names 10.9.9.9:80, where at is: "host:port" of
// this machine.
func newRelay(t *testing.T, at string) *relayWorld {
	t.Helper()
	c := claim.Claim{ID: "ann", Reach: []string{"ip/10.9.9.9:80", "ip/10.9.9.9:80/udp", "host/nowhere:80"}}
	s := newStored(c)
	w := newWorld(t, greet("nobody"), restoring(s, new(atomic.Bool)), func(a *Agent) {
		a.Config.Mode, a.Config.Ports, a.Config.Relay = plan.Relay, nil, true
		a.Linger = time.Second
		policy := relay.NewPolicy(api{}, "shop", func(ctx context.Context) ([]claim.Claim, error) {
			found, err := s.Claims(ctx)
			return found.Claims, err
		})
		a.Relay = &relay.Relay{Policy: policy, Log: a.Log,
			Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				if address != "10.9.9.9:80" {
					return nil, fmt.Errorf("dialled %s", address)
				}
				return new(net.Dialer).DialContext(ctx, network, at)
			}}
	})
	said := c // in the hello, which counts for nothing
	said.Reach = append([]string{"ip/10.9.9.8:80"}, c.Reach...)
	r := &relayWorld{world: w, claim: said}
	r.connects()
	return r
}

// connects makes the session's link.
func (w *relayWorld) connects() {
	w.t.Helper()
	link, err := wire.End{Name: "service-middle", Identity: "4f1c", Claim: &w.claim}.Dial(w.t.Context(),
		dialTCP(w.t, w.address("tcp", "127.0.0.1", linkPort)))
	require.NoError(w.t, err)
	ended := make(chan struct{})
	go func() { defer close(ended); link.Run(context.Background(), wire.Handler{}) }()
	w.t.Cleanup(func() { link.Close(); <-ended })
	w.link = link
}

func (w *relayWorld) dial(network, host string) *wire.Stream {
	w.t.Helper()
	stream, err := w.link.Open(w.t.Context(), wire.Opening{Kind: wire.KindDial,
		Dial: &wire.Dial{Network: network, Host: host, Port: 80}})
	require.NoError(w.t, err)
	w.t.Cleanup(stream.Abort)
	return stream
}

// TestARelayCarriesHalfCloses: an answer that is computed after the end of input arrives, and
// its end does.
func TestARelayCarriesHalfCloses(t *testing.T) {
	t.Parallel()
	w := newRelay(t, serve(t, echo(nil)).address)
	stream := w.dial("tcp", "10.9.9.9")
	said := bytes.Repeat([]byte("said"), 1<<16)
	go func() { stream.Write(said); stream.CloseWrite() }()
	require.NoError(t, stream.Accepted(t.Context()))
	got, err := io.ReadAll(stream)
	require.NoError(t, err)
	require.True(t, bytes.Equal(said, got))
	w.eventually(func() bool { return w.agent.Relay.Open() == 0 })
}

// TestARelayKnowsWhatItHasTaken by links that were lost, as far as it is the same claim's.
func TestARelayKnowsWhatItHasTaken(t *testing.T) {
	t.Parallel()
	w := newRelay(t, serve(t, echo(nil)).address)
	stream := w.dial("tcp", "10.9.9.9")
	require.NoError(t, stream.Accepted(t.Context()))
	taken := stream.Place()
	never, elsewhere := taken, taken
	never.Stream += 2
	elsewhere.Link = "another"
	w.connects()
	<-stream.Broken()
	for at, want := range map[wire.Place]bool{taken: true, never: false} {
		took, err := w.link.Took(t.Context(), at)
		require.NoError(t, err)
		require.Equal(t, want, took)
	}
	for range keptLinks { // the next is not to overtake one: each has an answer first
		_, err := w.link.Took(t.Context(), elsewhere)
		require.ErrorIs(t, err, wire.ErrUnknown)
		w.connects()
	}
	_, err := w.link.Took(t.Context(), taken)
	require.ErrorIs(t, err, wire.ErrUnknown)
}

// TestARelayPassesResetsOn, of the endpoint.
func TestARelayPassesResetsOn(t *testing.T) {
	t.Parallel()
	w := newRelay(t, serve(t, func(conn duplex.TCP) { conn.Read(make([]byte, 1)); conn.Abort() }).address)
	stream := w.dial("tcp", "10.9.9.9")
	_, err := stream.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, stream.Accepted(t.Context()))
	_, err = io.ReadAll(stream)
	var reset *wire.ResetError
	require.ErrorAs(t, err, &reset)
}

func TestARelayRefuses(t *testing.T) {
	t.Parallel()
	gone := serve(t, greet("gone"))
	gone.close()
	w := newRelay(t, gone.address)
	for host, want := range map[string]string{
		"10.9.9.9":               "connection refused",
		"10.9.9.8":               "does not connect to ip/10.9.9.8:80",
		"169.254.169.254":        "is link-local",
		"::ffff:169.254.169.254": "is link-local",
		"127.0.0.1":              "is the relay's own",
		"192.168.0.1":            "is its node",
		"db.internal":            "does not connect to host/db.internal:80",
	} {
		stream := w.dial("tcp", host)
		_, err := stream.Write([]byte("what nobody is to see"))
		require.NoError(t, err)
		err = stream.Accepted(t.Context())
		var reset *wire.ResetError
		require.True(t, errors.As(err, &reset), "%s: %v", host, err)
		require.Contains(t, reset.Why, want, host)
	}
}

// TestAnAgentThatIsNoRelay refuses to connect.
func TestAnAgentThatIsNoRelay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greet("origin"))
	l := w.connect(to(serve(t, greet("local"))))
	stream, err := l.link.Open(t.Context(), wire.Opening{Kind: wire.KindDial,
		Dial: &wire.Dial{Network: "tcp", Host: "10.9.9.9", Port: 80}})
	require.NoError(t, err)
	require.ErrorContains(t, stream.Accepted(t.Context()), "does not know streams of kind dial")
}

// TestARelayCarriesDatagrams of all sizes, with one socket for each flow.
func TestARelayCarriesDatagrams(t *testing.T) {
	t.Parallel()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan struct{})
	go func() {
		defer close(served)
		buffer := make([]byte, 64<<10)
		for {
			n, client, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			server.WriteTo(buffer[:n], client)
		}
	}()
	t.Cleanup(func() { server.Close(); <-served })
	w := newRelay(t, server.LocalAddr().String())
	var flows []*relay.Datagrams
	for range 2 {
		stream := w.dial("udp", "10.9.9.9")
		require.NoError(t, stream.Accepted(t.Context()))
		flow := relay.NewDatagrams(stream)
		defer flow.Close()
		flows = append(flows, flow)
	}
	buffer := make([]byte, 64<<10)
	for _, size := range []int{0, 1, 512, 1400, 9000, relay.MaxDatagram} {
		for i, flow := range flows {
			sent := bytes.Repeat([]byte{byte(i + 1)}, size)
			_, err := flow.Write(sent)
			require.NoError(t, err)
			n, err := flow.Read(buffer)
			require.NoError(t, err)
			require.Equal(t, sent, buffer[:n])
		}
	}
	require.Equal(t, 2, w.agent.Relay.Open())
	flows[0].Close()
	w.eventually(func() bool { return w.agent.Relay.Open() == 1 })
}

// TestARelayThatIsStopped lets what it carries end.
func TestARelayThatIsStopped(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	w := newRelay(t, serve(t, echo(release)).address)
	stream := w.dial("tcp", "10.9.9.9")
	_, err := stream.Write([]byte("said"))
	require.NoError(t, err)
	require.NoError(t, stream.CloseWrite())
	require.NoError(t, stream.Accepted(t.Context()))
	w.stop()
	w.eventually(w.agent.isDraining)
	close(release)
	got, err := io.ReadAll(stream)
	require.NoError(t, err)
	require.Equal(t, "said", string(got))
	<-w.ended
}
