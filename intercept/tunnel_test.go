package intercept

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/internal/pause"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/tunneltest"
)

// distance is what an API connection to a far cluster takes to open.
const distance = 100 * time.Millisecond

// farConn is an API connection that may die without a word.
type farConn struct {
	io.ReadWriteCloser
	dead, closed chan struct{}
	die, close   func()
}

func newFarConn(conn io.ReadWriteCloser) *farConn {
	c := &farConn{ReadWriteCloser: conn, dead: make(chan struct{}), closed: make(chan struct{})}
	c.die = sync.OnceFunc(func() { close(c.dead) })
	c.close = sync.OnceFunc(func() { close(c.closed) })
	return c
}

func (c *farConn) isDead() bool {
	select {
	case <-c.dead:
		return true
	default:
		return false
	}
}

func (c *farConn) Read(p []byte) (int, error) {
	n, err := c.ReadWriteCloser.Read(p)
	if c.isDead() {
		<-c.closed
		return 0, io.ErrClosedPipe
	}
	return n, err
}

// Write into a dead connection ends in the kernel's buffer.
func (c *farConn) Write(p []byte) (int, error) {
	if c.isDead() {
		return len(p), nil
	}
	return c.ReadWriteCloser.Write(p)
}

func (c *farConn) Close() error {
	c.close()
	return c.ReadWriteCloser.Close()
}

// The laptop wakes in another network: what was open is dead, and never says so.
func TestADeadAPIConnection(t *testing.T) {
	t.Parallel()
	loseAPIConnection(t, func(t *timing) { t.stuck, t.attempt = 500*time.Millisecond, 500*time.Millisecond })
}

// loseAPIConnection has a standing with other times lose its API connection.
func loseAPIConnection(t *testing.T, set func(*timing)) {
	w := newWorld(t, 1)
	one := w.start("one")
	server := tunneltest.NewServer(t)
	server.Pod(namespace, "one").Backend(linkPort, one.address("127.0.0.1", linkPort))
	transport, err := tunnel.NewTransport(server.Config(), tunnel.Auto)
	require.NoError(t, err)
	var mu sync.Mutex
	var opened []*farConn
	pool := tunnel.NewPool(func(ctx context.Context, pod tunnel.Pod) (io.ReadWriteCloser, error) {
		if err := pause.Sleep(ctx, distance); err != nil {
			return nil, err
		}
		conn, err := transport.Dial(ctx, pod)
		if err != nil {
			return nil, err
		}
		far := newFarConn(conn)
		mu.Lock()
		defer mu.Unlock()
		opened = append(opened, far)
		return far, nil
	})
	defer pool.Close()
	s, err := New(Config{Client: w.client, Dial: pool.Dial, Plan: w.plan, Claim: newClaim(), Local: []Local{toLocal(t)},
		Event: w.told.event})
	require.NoError(t, err)
	set(&s.timing)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() { cancel(); require.NoError(t, <-ended) }()
	w.eventually(func() bool { return one.who() == "local" })

	taken, err := s.Open(ctx, wire.Opening{Kind: wire.KindEnvironment})
	require.NoError(t, err)
	_, err = taken.Read(make([]byte, 1))
	require.NoError(t, err)
	mu.Lock()
	for _, c := range opened {
		c.die()
	}
	mu.Unlock()
	vain, err := s.Open(ctx, wire.Opening{Kind: wire.KindEnvironment})
	require.NoError(t, err)
	w.eventually(func() bool { return one.who() == "origin" })
	w.eventually(func() bool { return one.who() == "local" })
	for stream, want := range map[*wire.Stream]bool{taken: true, vain: false} {
		<-stream.Broken()
		took, err := s.Took(ctx, stream.Place())
		require.NoError(t, err)
		require.Equal(t, want, took, "the agent has taken it")
	}
	_, err = s.Took(ctx, wire.Place{Link: "to an agent that is gone"})
	require.ErrorIs(t, err, ErrUnlinked)
}
