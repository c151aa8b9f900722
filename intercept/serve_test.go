package intercept

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
)

// stalling is a connection that stands still while stall is locked.
type stalling struct {
	tunnel.Conn
	stall *sync.RWMutex
	moved func() // called at each read
}

func (c stalling) pass() {
	c.stall.RLock()
	defer c.stall.RUnlock()
}

func (c stalling) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.pass()
	c.moved()
	return n, err
}

func (c stalling) Write(p []byte) (int, error) {
	c.pass()
	return c.Conn.Write(p)
}

// noted is a connection of which it is told when it is closed.
type noted struct {
	tunnel.Conn
	closed func()
}

func (c noted) Close() error {
	defer c.closed()
	return c.Conn.Close()
}

// TestALinkThatIsHeardAgainIsKept, with what goes by it, though the one that was to take its
// place has been made: the network had only stood still.
func TestALinkThatIsHeardAgainIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	one := w.start("one")
	var stall sync.RWMutex
	var dials, stalls atomic.Int32
	var closed atomic.Bool
	moved := make(chan struct{}, 1)
	s, _ := w.standingAs(func(c *Config) {
		c.Dial = func(ctx context.Context, pod tunnel.Pod, port int) (tunnel.Conn, error) {
			conn, err := w.dial(ctx, pod, port)
			switch dials.Add(1) {
			case 1:
				return stalling{conn, &stall, func() {
					if stalls.Load() > 0 {
						wake(moved)
					}
				}}, err
			case 2:
				stalls.Add(1)
				stall.Unlock()
				<-moved
				return noted{conn, func() { closed.Store(true) }}, err
			}
			return conn, err
		}
	}, toLocal(t))
	w.eventually(func() bool { return one.who() == "local" })
	link, err := s.Agent(t.Context())
	require.NoError(t, err)
	stream, err := link.Open(t.Context(), wire.Opening{Kind: wire.KindEnvironment})
	require.NoError(t, err)
	defer stream.Abort()
	_, err = stream.Read(make([]byte, 1))
	require.NoError(t, err)

	stall.Lock()
	w.eventually(closed.Load)
	w.eventually(func() bool { return one.who() == "local" })
	again, err := s.Agent(t.Context())
	require.NoError(t, err)
	require.Same(t, link, again)
	require.NoError(t, stream.Err())
}
