package gather

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pair is a connection on loopback.
func pair(t *testing.T) (from, to *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	accepted, err := listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(); accepted.Close() })
	return conn.(*net.TCPConn), accepted.(*net.TCPConn)
}

// TestAFlowArrives: all of it, what comes after a pause, and its end.
func TestAFlowArrives(t *testing.T) {
	from, to := pair(t)
	block := bytes.Repeat([]byte("0123456789abcdef"), 1<<10)
	const blocks = 16 * flow / (16 << 10)
	tail, goOn := []byte("the rest"), make(chan struct{})
	sent := make(chan error)
	go func() {
		for range blocks {
			if _, err := from.Write(block); err != nil {
				sent <- err
				return
			}
		}
		from.Write(tail) // less than what is gathered
		<-goOn
		from.Write(tail)
		sent <- from.CloseWrite()
	}()
	r := NewReader(to)
	gathered := false
	got := make([]byte, len(block))
	for range blocks {
		_, err := io.ReadFull(r, got)
		require.NoError(t, err)
		require.True(t, bytes.Equal(block, got))
		gathered = gathered || r.gathering
	}
	require.Equal(t, r.lowWater != nil, gathered)
	readTail := func() {
		_, err := io.ReadFull(r, got[:len(tail)])
		require.NoError(t, err)
		require.Equal(t, tail, got[:len(tail)])
	}
	readTail()
	goOn <- struct{}{}
	readTail()
	_, err := r.Read(got)
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, <-sent)
}

// TestWhatDoesNotFlowIsToldOfAtOnce: neither little, nor much that takes long.
func TestWhatDoesNotFlowIsToldOfAtOnce(t *testing.T) {
	_, to := pair(t)
	r := NewReader(to)
	require.False(t, r.flows(flow-1))
	require.True(t, r.flows(1))
	r.last = time.Now().Add(-2 * patience)
	require.False(t, r.flows(1), "after a pause")
	require.False(t, r.flows(flow-2))
	r.began = time.Now().Add(-2 * flowTime)
	require.False(t, r.flows(1), "that was slow")
}

// TestAResetIsSeen while the kernel gathers.
func TestAResetIsSeen(t *testing.T) {
	from, to := pair(t)
	r := NewReader(to)
	if r.lowWater != nil {
		r.gathering = r.lowWater(atOnce)
		require.True(t, r.gathering)
	}
	require.NoError(t, from.SetLinger(0))
	require.NoError(t, from.Close())
	_, err := r.Read(make([]byte, 1))
	require.ErrorContains(t, err, "reset")
}

// TestWhatIsNoTCPIsRead as it is.
func TestWhatIsNoTCPIsRead(t *testing.T) {
	from, to := net.Pipe()
	defer from.Close()
	go from.Write([]byte("hello"))
	r := NewReader(to)
	got := make([]byte, 5)
	_, err := io.ReadFull(r, got)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
	require.Nil(t, r.lowWater)
}
