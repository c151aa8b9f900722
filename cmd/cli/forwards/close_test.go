package forwards

import (
	"context"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel"
)

func TestClose(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.apply(services{"web": headless("web-0"), "api": serviceOf(portOf(18080))}))
	open := w.dial(address("web", 0), 18080)
	require.Equal(t, "web-0:18080", open.line())
	held := w.dial(address("api", 0), 18080)
	w.take()
	w.machine.take()

	require.NoError(t, w.forwards.Close(t.Context()))
	require.Empty(t, w.machine.shortNames())
	calls := w.machine.take()
	require.Equal(t, []string{"names", "remove", "remove", "remove"}, calls, "names first, so that none leads nowhere")
	require.Zero(t, w.machine.held())
	for _, name := range []string{"web", "api"} {
		w.refuses(address(name, 0), 18080)
		requireFree(t, w, address(name, 0))
	}
	w.refuses(podAddress("web-0"), 18080)

	for _, c := range []*client{open, held} {
		_, err := c.in.ReadByte()
		require.ErrorIs(t, err, syscall.ECONNRESET, "cut off, which is no orderly end")
		c.conn.Close()
	}
	require.Contains(t, w.take(), "connection web:18080 web-0, devtun stopped")
}

func TestApplyAfterClose(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080))}))
	require.NoError(t, w.forwards.Close(t.Context()))
	w.take()
	w.machine.take()
	require.NoError(t, w.apply(services{"api": serviceOf(portOf(18080))}))
	require.Empty(t, w.take())
	require.Empty(t, w.machine.take())
	w.refuses(address("api", 0), 18080)
}

func TestCloseTwiceAndUnused(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.forwards.Close(t.Context()))
	require.NoError(t, w.forwards.Close(t.Context()))
	require.Empty(t, w.machine.take())
}

func TestCloseWhenNamesCannotBeRemoved(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080))}))
	w.machine.set(func(m *machine) { m.failNames = errFull })
	require.EqualError(t, w.forwards.Close(t.Context()), "remove names: disk full")
	w.refuses(address("web", 0), 18080)
	require.Zero(t, w.machine.held())

	w.machine.set(func(m *machine) { m.failNames = nil })
	require.NoError(t, w.forwards.Close(t.Context()), "it can be tried again")
	require.Empty(t, w.machine.shortNames())
}

func TestCloseWhileAppliesCome(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.apply(nil))
	applied := make(chan error)
	go func() {
		defer close(applied)
		for i := range 50 {
			name := string(rune('a' + i%20))
			if err := w.apply(services{name: serviceOf(portOf(18080, name))}); err != nil {
				applied <- err
			}
		}
	}()
	require.NoError(t, w.forwards.Close(t.Context()))
	require.NoError(t, <-applied)
	require.Empty(t, w.machine.shortNames())
	require.Zero(t, w.machine.held())
}

// A pod that does not answer must not keep devtun from ending.
func TestCloseWhileDialling(t *testing.T) {
	dialled := make(chan struct{})
	w := newWorld(t, func(o *Options) {
		o.Dial = func(ctx context.Context, _ tunnel.Endpoint) (tunnel.Conn, error) {
			close(dialled)
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
	})
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080, "web-a"))}))
	c := w.dial(address("web", 0), 18080)
	defer c.conn.Close()
	<-dialled
	require.NoError(t, w.forwards.Close(t.Context()))
}
