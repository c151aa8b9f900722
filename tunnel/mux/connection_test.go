package mux_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/moby/spdystream"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/devtun/devtun/tunnel/mux"
)

// start returns a client whose far side is the SPDY library that kubelets and
// runtimes use, handling each stream with handle.
func start(t *testing.T, handle func(*spdystream.Stream)) (*mux.Connection, *gate) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	accepted, err := listener.Accept()
	require.NoError(t, err)

	far, err := spdystream.NewConnection(accepted, true)
	require.NoError(t, err)
	var handlers sync.WaitGroup
	served := make(chan struct{})
	go func() {
		defer close(served)
		far.Serve(func(stream *spdystream.Stream) {
			require.NoError(t, stream.SendReply(http.Header{}, false))
			handlers.Go(func() { handle(stream) })
		})
	}()
	held := &gate{Conn: conn}
	client := mux.New(held)
	t.Cleanup(func() {
		client.Close()
		accepted.Close()
		<-served
		handlers.Wait()
		goleak.VerifyNone(t, goleak.IgnoreAnyFunction("github.com/moby/spdystream.(*Connection).shutdown"))
	})
	return client, held
}

// gate is a connection whose writes can be made to hang.
type gate struct {
	net.Conn
	mu     sync.Mutex
	closed chan struct{}
	hang   chan struct{}
}

func (g *gate) Hang() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hang, g.closed = make(chan struct{}), make(chan struct{})
}

func (g *gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	hang, closed := g.hang, g.closed
	g.mu.Unlock()
	if hang != nil {
		<-closed
		return 0, net.ErrClosed
	}
	return g.Conn.Write(p)
}

func (g *gate) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		close(g.closed)
	}
	return g.Conn.Close()
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func open(t *testing.T, client *mux.Connection) *mux.Stream {
	t.Helper()
	streams, err := client.Open(deadline(t), mux.Opening{})
	require.NoError(t, err)
	return streams[0]
}

// echo sends back what it receives, then ends its side.
func echo(stream *spdystream.Stream) {
	io.Copy(stream, stream)
	stream.Close()
}

func TestEchoKeepsEveryByteAndTheHalfClose(t *testing.T) {
	client, _ := start(t, echo)
	sent := make([]byte, 8<<20)
	rand.Read(sent)
	var all sync.WaitGroup
	for range 8 {
		stream := open(t, client)
		all.Go(func() {
			for rest := sent; len(rest) > 0; {
				n := min(len(rest), 100_000)
				if _, err := stream.Write(rest[:n]); err != nil {
					t.Errorf("write: %v", err)
					return
				}
				rest = rest[n:]
			}
			stream.CloseWrite()
		})
		all.Go(func() {
			hash := sha256.New()
			n, err := io.Copy(hash, stream)
			if err != nil || n != int64(len(sent)) || !bytes.Equal(hash.Sum(nil), sum(sent)) {
				t.Errorf("got %d bytes, error %v", n, err)
			}
		})
	}
	all.Wait()
	require.Zero(t, client.Streams())
}

func sum(b []byte) []byte { s := sha256.Sum256(b); return s[:] }

func TestReadAcrossFrames(t *testing.T) {
	client, _ := start(t, echo)
	stream := open(t, client)
	_, err := stream.Write([]byte("twelve bytes"))
	require.NoError(t, err)
	first := make([]byte, 5)
	_, err = io.ReadFull(stream, first)
	require.NoError(t, err)
	require.NoError(t, stream.CloseWrite())
	rest, err := io.ReadAll(stream)
	require.NoError(t, err)
	require.Equal(t, "twelve bytes", string(first)+string(rest))
}

func TestResetIsNotAnEnd(t *testing.T) {
	client, _ := start(t, func(stream *spdystream.Stream) {
		stream.Read(make([]byte, 1))
		stream.Reset()
	})
	stream := open(t, client)
	_, err := stream.Write([]byte("x"))
	require.NoError(t, err)
	_, err = io.ReadAll(stream)
	require.ErrorIs(t, err, mux.ErrReset)
}

func TestAStalledReaderLeavesItsNeighbourTimeAndIsTold(t *testing.T) {
	client, _ := start(t, func(stream *spdystream.Stream) {
		if stream.Headers().Get("send") == "" {
			echo(stream)
			return
		}
		block := make([]byte, 32<<10)
		for {
			if _, err := stream.Write(block); err != nil {
				return
			}
		}
	})
	neighbour := open(t, client)
	streams, err := client.Open(deadline(t), mux.Opening{Headers: http.Header{"Send": {"endless"}}})
	require.NoError(t, err)
	flood := streams[0] // which nobody reads
	require.Eventually(t, client.Stalled, 5*time.Second, time.Millisecond)

	// Once it is given up, the connection serves the others again.
	flood.Reset()
	require.False(t, client.Stalled())
	_, err = neighbour.Write([]byte("hello"))
	require.NoError(t, err)
	got := make([]byte, 5)
	_, err = io.ReadFull(neighbour, got)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
	require.NoError(t, client.Ping(deadline(t)))
}

func TestOpenEndsWithItsContext(t *testing.T) {
	near, far := net.Pipe()
	client := mux.New(near)
	defer client.Close()
	drained := make(chan struct{})
	go func() { // a far side that never answers
		defer close(drained)
		io.Copy(io.Discard, far)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := client.Open(ctx, mux.Opening{}, mux.Opening{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Zero(t, client.Streams(), "none stays open")
	require.False(t, client.Usable())
	_, err = client.Open(deadline(t), mux.Opening{})
	require.ErrorIs(t, err, mux.ErrGoingAway)
	client.Close()
	<-drained
}

// TestWhatNobodyReads: a far side that ends a stream without having read it blocks
// every fifth stream of the connection, itself until it resets the stream.
func TestWhatNobodyReads(t *testing.T) {
	for name, giveUp := range map[string]func(*mux.Stream){
		"reset":                       (*mux.Stream).Reset,
		"finished, then told of":      func(st *mux.Stream) { st.CloseWrite(); st.MarkUnread() },
		"told of while it is sent to": (*mux.Stream).MarkUnread,
	} {
		for _, sends := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, sends: %t", name, sends), func(t *testing.T) {
				over := make(chan struct{})
				defer close(over)
				client, _ := start(t, func(stream *spdystream.Stream) {
					stream.Close()
					<-over
					stream.Reset() // or the far side's end would wait for ever
				})
				stream := open(t, client)
				if sends {
					_, err := stream.Write([]byte("x"))
					require.NoError(t, err)
				}
				_, err := io.ReadAll(stream)
				require.NoError(t, err)
				giveUp(stream)
				require.Equal(t, !sends, client.Usable())
			})
		}
	}
}

func TestAWriteThatHangs(t *testing.T) {
	client, conn := start(t, echo)
	stream := open(t, client)
	conn.Hang()
	written := make(chan error, 1)
	go func() {
		_, err := stream.Write(make([]byte, 1<<20))
		written <- err
	}()
	require.Eventually(t, client.Stalled, 5*time.Second, time.Millisecond)

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, client.Ping(ctx), context.DeadlineExceeded)
	_, err := client.Open(ctx, mux.Opening{})
	require.ErrorIs(t, err, context.DeadlineExceeded)

	// Giving the stream up cannot be said to the far side: the connection goes.
	stream.Reset()
	require.Error(t, <-written)
	<-client.Done()
	require.False(t, client.Usable())
}

func TestItsEndReachesEveryStream(t *testing.T) {
	client, conn := start(t, echo)
	stream := open(t, client)
	conn.Conn.Close()
	_, err := stream.Read(make([]byte, 1))
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = stream.Write([]byte("x"))
	require.Error(t, err)
	_, err = client.Open(deadline(t), mux.Opening{})
	require.Error(t, err)
	require.Error(t, client.Ping(deadline(t)))
}

func TestCloseFailsStreamsWithErrClosed(t *testing.T) {
	client, _ := start(t, echo)
	stream := open(t, client)
	require.NoError(t, client.Close())
	_, err := stream.Read(make([]byte, 1))
	require.True(t, errors.Is(err, mux.ErrClosed), "%v", err)
}
