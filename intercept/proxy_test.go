package intercept

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel"
)

// way is how the link goes, as told last.
func (t *told) way() (last LinkEvent) {
	for _, e := range t.all() {
		if e.Link != nil {
			last = *e.Link
		}
	}
	return last
}

// keepingConns is Config.Proxy, with each connection for a test to kill.
func (w *world) keepingConns(conns chan io.Closer) func(context.Context, tunnel.Pod, int) (io.ReadWriteCloser, error) {
	return func(ctx context.Context, pod tunnel.Pod, port int) (io.ReadWriteCloser, error) {
		conn, err := w.proxy(ctx, pod, port)
		if err == nil {
			conns <- conn
		}
		return conn, err
	}
}

func TestALinkGoesByThePodProxy(t *testing.T) {
	w := newWorld(t, 1, agentDeployment(""))
	a := w.start("one")
	here := serve(t, "127.0.0.1:0", "here")
	conns := make(chan io.Closer, 8)
	s, r := w.standingAs(func(c *Config) { c.Proxy = w.keepingConns(conns) },
		Local{Port: port, Address: here.Addr().String()})
	require.NoError(t, s.Await(t.Context()))
	w.eventually(func() bool { return w.told.way().Way == ByProxy })
	w.eventually(func() bool { return a.who() == "here" })

	// A connection that is killed takes the link not along, and comes again.
	(<-conns).Close()
	require.NotNil(t, <-conns)
	w.eventually(func() bool { return a.who() == "here" })
	require.False(t, w.told.has(func(e Event) bool { return e.Link != nil && e.Link.State == Disconnected }))
	require.NoError(t, r.stop())
}

var errForbidden = errors.New("pods/proxy is forbidden")

func TestALinkThatCannotGoByThePodProxyStays(t *testing.T) {
	w := newWorld(t, 1, agentDeployment(""))
	a := w.start("one")
	here := serve(t, "127.0.0.1:0", "here")
	var tries atomic.Int32
	s, _ := w.standingAs(func(c *Config) {
		c.Proxy = func(context.Context, tunnel.Pod, int) (io.ReadWriteCloser, error) {
			tries.Add(1)
			return nil, errForbidden
		}
	}, Local{Port: port, Address: here.Addr().String()})
	require.NoError(t, s.Await(t.Context()))
	w.eventually(func() bool { return w.told.way().WhyNot != "" })
	require.Equal(t, ByPortForward, w.told.way().Way)
	require.Contains(t, w.told.way().WhyNot, errForbidden.Error())
	w.eventually(func() bool { return a.who() == "here" })
	require.EqualValues(t, 1, tries.Load())

	w.network.cut() // each new link tries anew
	w.eventually(func() bool { return tries.Load() == 2 })
}

// TestThePodProxyKeepsNobodyWaiting: where nothing is ever heard, all goes on meanwhile.
func TestThePodProxyKeepsNobodyWaiting(t *testing.T) {
	w := newWorld(t, 1, agentDeployment(""))
	a := w.start("one")
	here := serve(t, "127.0.0.1:0", "here")
	s, r := w.standingAs(func(c *Config) {
		c.Proxy = func(ctx context.Context, _ tunnel.Pod, _ int) (io.ReadWriteCloser, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
	}, Local{Port: port, Address: here.Addr().String()})
	require.NoError(t, s.Await(t.Context()))
	w.eventually(func() bool { return a.who() == "here" })
	require.Empty(t, w.told.way().WhyNot)
	require.NoError(t, r.stop())
}

func TestWithoutThePodProxyThereIsNoLinkIfItIsTheOnlyWay(t *testing.T) {
	w := newWorld(t, 1, agentDeployment(""))
	w.start("one")
	s, r := w.standingAs(func(c *Config) {
		c.OnlyProxy = true
		c.Proxy = func(context.Context, tunnel.Pod, int) (io.ReadWriteCloser, error) { return nil, errForbidden }
	})
	require.ErrorIs(t, s.Await(t.Context()), errForbidden)
	err := r.stop()
	require.ErrorContains(t, err, "agent one: the link cannot go through the API server's pod proxy: ")
	require.ErrorIs(t, err, errForbidden)
}
