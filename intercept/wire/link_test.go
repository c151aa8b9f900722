package wire

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/tunnel/duplex"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	soon      = 10 * time.Second
	pollEvery = 5 * time.Millisecond
)

var shop = End{Name: "service-middle", Identity: "4f1c", Claim: &claim.Claim{ID: "7a"}}

// connect returns the two ends of a TCP connection.
func connect(t testing.TB) (a, b duplex.TCP) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	dialled, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	taken, err := listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { dialled.Close(); taken.Close() })
	return duplex.TCP{TCPConn: dialled.(*net.TCPConn)}, duplex.TCP{TCPConn: taken.(*net.TCPConn)}
}

// greet makes a link on the two ends of a connection.
func greet(t testing.TB, a, b Transport) (developer, agent *Link) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	var greeting sync.WaitGroup
	greeting.Go(func() {
		hello, err := shop.Receive(ctx, b)
		if err == nil && hello.Purpose == ForLink {
			agent, _ = shop.Accept(ctx, b)
		}
	})
	developer, err := shop.Dial(ctx, a)
	require.NoError(t, err)
	greeting.Wait()
	require.NotNil(t, agent)
	return developer, agent
}

// run runs both ends until the test is over.
func run(t testing.TB, developer, agent *Link, d, a Handler) {
	t.Helper()
	var running sync.WaitGroup
	running.Go(func() { developer.Run(context.Background(), d) })
	running.Go(func() { agent.Run(context.Background(), a) })
	t.Cleanup(func() { developer.Close(); agent.Close(); running.Wait() })
}

// pair is a link in which the agent's end opens streams, which arrive on the
// channel and stay until the test is over.
func pair(t testing.TB) (agent *Link, streams <-chan *Stream) {
	t.Helper()
	a, b := connect(t)
	developer, agent := greet(t, a, b)
	opened := make(chan *Stream)
	run(t, developer, agent, Handler{Stream: func(ctx context.Context, _ Opening, stream *Stream) {
		select {
		case opened <- stream:
		case <-ctx.Done():
		}
		<-ctx.Done()
	}}, Handler{})
	return agent, opened
}

// open opens a stream from the agent's end.
func open(t testing.TB, agent *Link, streams <-chan *Stream) (at, far *Stream) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	at, err := agent.Open(ctx, Opening{Kind: KindConnection, Port: 80})
	require.NoError(t, err)
	return at, <-streams
}

// Who has a link opens streams at once, while its Run has hardly begun.
func TestNoStreamComesBeforeTheControlStream(t *testing.T) {
	a, b := connect(t)
	developer, agent := greet(t, a, b)
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	type result struct {
		environment []string
		err         error
	}
	asked, got := make(chan struct{}), make(chan result, 1)
	go func() {
		close(asked)
		environment, err := developer.Environment(ctx)
		got <- result{environment, err}
	}()
	<-asked
	run(t, developer, agent, Handler{}, Handler{Stream: func(ctx context.Context, _ Opening, stream *Stream) {
		SendEnvironment(stream, []string{"A=1"})
		stream.AwaitEnd(ctx)
	}})
	require.Equal(t, result{environment: []string{"A=1"}}, <-got)
}

func TestEachSidesEndIsAnEnd(t *testing.T) {
	agent, streams := pair(t)
	at, far := open(t, agent, streams)
	_, err := at.Write([]byte("question"))
	require.NoError(t, err)
	require.NoError(t, at.CloseWrite())
	got, err := io.ReadAll(far)
	require.NoError(t, err)
	require.Equal(t, "question", string(got))
	_, err = far.Write([]byte("answer"))
	require.NoError(t, err)
	require.NoError(t, far.CloseWrite())
	got, err = io.ReadAll(at)
	require.NoError(t, err)
	require.Equal(t, "answer", string(got))
	requireForgotten(t, agent)
}

// TestOnlyTheClientsEndMayLinger: and only once the server has said all. A client may wait for a
// server's end.
func TestOnlyTheClientsEndMayLinger(t *testing.T) {
	agent, streams := pair(t)
	client, server := open(t, agent, streams)
	require.False(t, client.conn.endMayLinger(client.id))
	require.False(t, server.conn.endMayLinger(server.id))
	require.NoError(t, server.CloseWrite())
	_, err := client.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
	require.True(t, client.conn.endMayLinger(client.id))

	client, server = open(t, agent, streams)
	require.NoError(t, client.CloseWrite())
	_, err = server.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
	require.False(t, server.conn.endMayLinger(server.id))
}

func TestAStreamMayHaveMuchUnderWay(t *testing.T) {
	agent, streams := pair(t)
	at, far := open(t, agent, streams)
	_, err := at.Write(make([]byte, firstWindow-1000)) // and nobody reads
	require.NoError(t, err)
	_, err = far.Write(make([]byte, firstWindow))
	require.NoError(t, err)
}

// TestWhatIsDivertedIsAll: a stream's bytes arrive in their order, whichever way, and the far side
// hears that they were taken.
func TestWhatIsDivertedIsAll(t *testing.T) {
	agent, streams := pair(t)
	at, far := open(t, agent, streams)
	const size = 4 * mostWindow // it comes to an end only if what is taken is told
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() {
		_, err := io.Copy(struct{ io.Writer }{at}, &pattern{left: size})
		assert.NoError(t, err)
		assert.NoError(t, at.CloseWrite())
	})
	want := &pattern{left: size}
	check := func(got []byte) {
		expected := make([]byte, len(got))
		_, err := io.ReadFull(want, expected)
		assert.NoError(t, err)
		assert.True(t, bytes.Equal(expected, got), "in order")
	}
	diverted, calls := 0, 0
	far.Divert(func(p []byte) int {
		calls++
		n := len(p)
		if calls%8 == 0 { // there is not room for all
			n /= 3
		}
		check(p[:n])
		diverted += n
		return n
	})
	lent := 0
	for {
		chunk, err := far.Lend()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		check(chunk)
		lent += len(chunk)
	}
	far.Divert(nil)
	require.Equal(t, size, diverted+lent)
	require.Positive(t, diverted)
	require.Positive(t, lent)
}

func TestAStalledReaderHarmsNobody(t *testing.T) {
	agent, streams := pair(t)
	stalled, _ := open(t, agent, streams)
	go stalled.Write(make([]byte, 2*mostWindow))
	at, far := open(t, agent, streams)
	transferAll(t, at, far, 32<<20)
	transferAll(t, far, at, 32<<20)
}

// transferAll carries n bytes and compares their hash.
func transferAll(t *testing.T, from, to *Stream, n int64) {
	t.Helper()
	sent := make(chan error, 1)
	hash := sha256.New()
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(from, hash)}, &pattern{left: n}, make([]byte, 64<<10))
		sent <- errors.Join(err, from.CloseWrite())
	}()
	arrived := sha256.New()
	got, err := io.Copy(arrived, to)
	require.NoError(t, err)
	require.NoError(t, <-sent)
	require.Equal(t, n, got)
	require.Equal(t, hash.Sum(nil), arrived.Sum(nil))
}

// pattern is left bytes of no short period.
type pattern struct {
	left int64
	x    uint32
}

func (p *pattern) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), p.left)]
	for i := range b {
		p.x = p.x*1664525 + 1013904223
		b[i] = byte(p.x >> 24)
	}
	p.left -= int64(len(b))
	return len(b), nil
}

func TestTheEndOfALinkIsNoEndOfItsStreams(t *testing.T) {
	a, b := connect(t)
	developer, agent := greet(t, a, b)
	opened := make(chan *Stream, 1)
	run(t, developer, agent, Handler{Stream: func(ctx context.Context, _ Opening, s *Stream) {
		opened <- s
		<-ctx.Done()
	}}, Handler{})
	at, err := agent.Open(t.Context(), Opening{Kind: KindConnection})
	require.NoError(t, err)
	_, err = (<-opened).Write([]byte("half a sen"))
	require.NoError(t, err)
	got := make([]byte, 10)
	_, err = io.ReadFull(at, got)
	require.NoError(t, err)
	a.Abort()
	_, err = at.Read(got)
	require.ErrorIs(t, err, ErrLost)
	_, err = agent.Open(t.Context(), Opening{Kind: KindConnection})
	require.Error(t, err)
}

func TestFiveHundredStreamsAtOnce(t *testing.T) {
	agent, streams := pair(t)
	var all sync.WaitGroup
	errs := make(chan error, 500)
	for i := range 500 {
		all.Go(func() {
			at, err := agent.Open(t.Context(), Opening{Kind: KindConnection})
			if err == nil {
				_, err = fmt.Fprintf(at, "stream %d", i)
				at.CloseWrite()
			}
			if err == nil {
				_, err = io.Copy(io.Discard, at)
			}
			if err != nil {
				errs <- err
			}
		})
	}
	all.Go(func() {
		for range 500 {
			far := <-streams
			all.Go(func() {
				io.Copy(far, far)
				far.CloseWrite()
			})
		}
	})
	all.Wait()
	close(errs)
	require.NoError(t, <-errs)
	requireForgotten(t, agent)
}

// requireForgotten waits until a link has no stream but its control stream.
func requireForgotten(t *testing.T, s *Link) {
	t.Helper()
	require.Eventually(t, func() bool {
		s.first.mu.Lock()
		defer s.first.mu.Unlock()
		return len(s.first.streams) == 0 && s.first.mux.NumStreams() == 1
	}, soon, time.Millisecond)
}
