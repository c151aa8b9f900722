package podproxy

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOneWriteIsOneWrite: the records of one write leave together.
func TestOneWriteIsOneWrite(t *testing.T) {
	w := newWorld(t)
	k := w.agree()
	var writes atomic.Int32
	k.dial = func(context.Context, int) (io.ReadWriteCloser, error) {
		conn, err := net.Dial("tcp", w.address)
		if err != nil {
			return nil, err
		}
		return counted{conn, &writes}, upgraded(conn)
	}
	require.NoError(t, k.add(t.Context()))
	here, there := w.session.next(t), w.agent.next(t)
	writes.Store(0)
	sent := make([]byte, 256<<10)
	go func() { _, _ = here.Write(sent) }()
	_, err := io.ReadFull(there, make([]byte, len(sent)))
	require.NoError(t, err)
	require.EqualValues(t, 1, writes.Load())
}

// counted counts writes.
type counted struct {
	net.Conn
	writes *atomic.Int32
}

func (c counted) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}
