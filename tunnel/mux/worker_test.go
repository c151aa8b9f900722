package mux_test

import (
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moby/spdystream"
	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/mux"
)

// beyondQueue is more frames than the far side's library queues for a stream.
const beyondQueue = 100

// deaf is a stream that is not read until told to be, and then to its end.
func deaf(t *testing.T, conn *mux.Connection) *mux.Stream {
	t.Helper()
	streams, err := conn.Open(deadline(t), mux.Opening{Headers: http.Header{"Deaf": {"yes"}}})
	require.NoError(t, err)
	return streams[0]
}

// startDeaf starts a connection whose deaf streams are read once hear is called.
func startDeaf(t *testing.T) (conn *mux.Connection, hear func()) {
	t.Helper()
	heard := make(chan struct{})
	conn, _ = start(t, func(stream *spdystream.Stream) {
		if stream.Headers().Get("deaf") != "" {
			<-heard
			io.Copy(io.Discard, stream)
			stream.Reset()
			return
		}
		echo(stream)
	})
	var told atomic.Bool
	hear = func() {
		if told.CompareAndSwap(false, true) {
			close(heard)
		}
	}
	t.Cleanup(hear)
	return conn, hear
}

// flood writes frames, one byte each, and counts them.
func flood(stream *mux.Stream, frames int64) (written *atomic.Int64, ended <-chan error) {
	written = new(atomic.Int64)
	done := make(chan error, 1)
	go func() {
		for written.Load() < frames {
			if _, err := stream.Write([]byte("x")); err != nil {
				done <- err
				return
			}
			written.Add(1)
		}
		done <- nil
	}()
	return written, done
}

func asks(t *testing.T, stream *mux.Stream) {
	t.Helper()
	_, err := stream.Write([]byte("hello"))
	require.NoError(t, err)
	got := make([]byte, 5)
	_, err = io.ReadFull(stream, got)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
}

func TestAStreamThatIsNotReadHoldsNobodyUp(t *testing.T) {
	conn, hear := startDeaf(t)
	neighbours := []*mux.Stream{open(t, conn), open(t, conn)}
	unread := deaf(t, conn)
	neighbours = append(neighbours, open(t, conn), open(t, conn))
	written, ended := flood(unread, beyondQueue)
	for range 2 * beyondQueue { // pings for long, which must not fill the queue either
		require.NoError(t, conn.Ping(deadline(t)))
		for _, neighbour := range neighbours {
			asks(t, neighbour)
		}
	}
	require.Less(t, written.Load(), int64(beyondQueue), "its writer waits")

	for range 8 { // new ones find a worker that works
		late := open(t, conn)
		asks(t, late)
		late.CloseWrite()
		_, err := io.ReadAll(late)
		require.NoError(t, err)
	}

	hear()
	require.NoError(t, <-ended, "read at last")
	unread.CloseWrite()
	_, err := io.ReadAll(unread)
	require.ErrorIs(t, err, mux.ErrReset)
	asks(t, neighbours[0])
}

func TestAStreamAloneIsNotHeldBack(t *testing.T) {
	conn, _ := startDeaf(t)
	_, ended := flood(deaf(t, conn), 40) // as many as the queue takes
	require.NoError(t, <-ended)
}

// TestAStreamAloneGetsCompany: what was sent before is asked after.
func TestAStreamAloneGetsCompany(t *testing.T) {
	conn, _ := start(t, echo)
	alone := open(t, conn)
	written, ended := flood(alone, 2*beyondQueue)
	got := make(chan error, 1)
	go func() {
		_, err := io.CopyN(io.Discard, alone, 4*beyondQueue)
		got <- err
	}()
	require.NoError(t, <-ended)
	require.EqualValues(t, 2*beyondQueue, written.Load())
	other := open(t, conn)
	_, ended = flood(alone, 2*beyondQueue)
	for range beyondQueue {
		asks(t, other)
	}
	require.NoError(t, <-ended)
	require.NoError(t, <-got)
}

func TestAWriterThatWaitsIsReleased(t *testing.T) {
	for name, release := range map[string]func(*mux.Connection, *mux.Stream){
		"reset":       func(_ *mux.Connection, st *mux.Stream) { st.Reset() },
		"writes fail": func(_ *mux.Connection, st *mux.Stream) { st.FailWrites() },
		"closed":      func(s *mux.Connection, _ *mux.Stream) { s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			conn, _ := startDeaf(t)
			other := open(t, conn)
			unread := deaf(t, conn)
			written, ended := flood(unread, beyondQueue)
			for range beyondQueue {
				asks(t, other)
			}
			require.Less(t, written.Load(), int64(beyondQueue))
			release(conn, unread)
			select {
			case err := <-ended:
				require.True(t, err == net.ErrClosed || err == mux.ErrClosed, "%v", err)
			case <-time.After(10 * time.Second):
				t.Fatal("still waits")
			}
		})
	}
}

// TestAWorkerThatRepliesNeedsNoPing: what was written before an opening that was replied to
// is handled.
func TestAWorkerThatRepliesNeedsNoPing(t *testing.T) {
	conn, _ := start(t, echo)
	asks(t, open(t, conn)) // not alone
	for range beyondQueue {
		stream := open(t, conn)
		asks(t, stream)
		require.NoError(t, stream.CloseWrite())
		_, err := io.ReadAll(stream)
		require.NoError(t, err)
	}
	require.Zero(t, conn.PingsSent())
}
