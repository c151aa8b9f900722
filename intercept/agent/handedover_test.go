package agent

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/wire"
)

const handOverConfig = `{"version":3,"name":"worker","identity":"4f1c","mode":"handover","sessionPort":9999,
	"readyPort":0,"ports":null,"grace":"0s","files":["/etc/worker"]}`

// handOver is an agent that only hands over, and what its Run has returned.
type handOver struct {
	t       *testing.T
	agent   *Agent
	address string // for links
	ended   chan error
}

func newHandOver(t *testing.T, change func(*Agent)) *handOver {
	t.Helper()
	config, err := ParseConfig(handOverConfig)
	require.NoError(t, err)
	h := &handOver{t: t, agent: New(config, slog.New(slog.NewTextHandler(&logBuffer{}, nil))), ended: make(chan error, 1)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	h.address = listener.Addr().String()
	h.agent.Environ = []string{"WHO=main"}
	h.agent.Listen = func(_ context.Context, _, address string) (net.Listener, error) {
		require.Equal(t, "127.0.0.1:9999", address, "it has no other")
		return listener, nil
	}
	change(h.agent)
	go func() { h.ended <- h.agent.Run(context.Background()) }()
	return h
}

// link asks for the environment, and returns the link.
func (h *handOver) link() *wire.Link {
	h.t.Helper()
	c := everything()
	link, err := wire.End{Name: "worker", Identity: "4f1c", Claim: &c}.Dial(h.t.Context(), dialTCP(h.t, h.address))
	require.NoError(h.t, err)
	ran := make(chan struct{})
	go func() {
		defer close(ran)
		_ = new(wire.Developer).Run(context.Background(), link)
	}()
	h.t.Cleanup(func() { link.Close(); <-ran })
	got, err := link.Environment(h.t.Context())
	require.NoError(h.t, err)
	require.Equal(h.t, []string{"WHO=main"}, got)
	return link
}

// ends is what Run returns.
func (h *handOver) ends() error {
	h.t.Helper()
	select {
	case err := <-h.ended:
		return err
	case <-time.After(soon):
		require.FailNow(h.t, "it goes on")
		return nil
	}
}

func TestHandOverEnds(t *testing.T) {
	t.Run("once the developer's side has all", func(t *testing.T) {
		h := newHandOver(t, func(a *Agent) { a.BackTimeout = time.Hour })
		h.link().Drain()
		require.NoError(t, h.ends())
	})
	t.Run("when the developer's side is gone", func(t *testing.T) {
		h := newHandOver(t, func(a *Agent) { a.BackTimeout = quiet })
		h.link().Close()
		require.NoError(t, h.ends())
	})
	t.Run("not when a lost link is made again", func(t *testing.T) {
		h := newHandOver(t, func(a *Agent) { a.BackTimeout = time.Hour })
		h.link().Close()
		h.link().Drain()
		require.NoError(t, h.ends())
	})
	t.Run("when nobody has come", func(t *testing.T) {
		h := newHandOver(t, func(a *Agent) { a.ComeTimeout = quiet })
		require.EqualError(t, h.ends(), "hand over environment and files: no devtun has come for them within 100ms")
	})
}

func TestHandOverConfig(t *testing.T) {
	c, err := ParseConfig(handOverConfig)
	require.NoError(t, err)
	require.Equal(t, plan.HandOver, c.Mode)
	for old, given := range map[string]string{
		`"readyPort":0`: `"readyPort":1`, `"ports":null`: `"ports":[{"port":80}]`, `"grace":"0s"`: `"grace":"1s"`,
	} {
		require.Contains(t, handOverConfig, old)
		_, err := ParseConfig(strings.Replace(handOverConfig, old, given, 1))
		require.ErrorContains(t, err, "mode handover has no ports, and nothing to undo")
	}
}
