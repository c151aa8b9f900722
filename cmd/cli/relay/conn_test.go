package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/duplex"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var db = tunnel.Endpoint{Pod: tunnel.Pod{Namespace: "demo"}, Host: "db.internal", Port: 5432}

// link is one whose far side serves what is dialled, until the test is over.
func link(t *testing.T, serve func(opening wire.Opening, stream *wire.Stream)) *wire.Link {
	t.Helper()
	return linkBy(t, func(conn duplex.TCP) wire.Transport { return conn }, serve)
}

// linkBy is link, of which the far side speaks by what by makes of its connection.
func linkBy(t *testing.T, by func(duplex.TCP) wire.Transport,
	serve func(opening wire.Opening, stream *wire.Stream)) *wire.Link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{}, 2)
	go func() {
		defer func() { ended <- struct{}{} }()
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		end := wire.End{Name: "devtun-relay", Identity: "1"}
		far := by(duplex.TCP{TCPConn: conn.(*net.TCPConn)})
		if _, err := end.Receive(ctx, far); err != nil {
			return
		}
		if l, err := end.Accept(ctx, far); err == nil {
			_ = l.Run(ctx, wire.Handler{Stream: func(_ context.Context, o wire.Opening, s *wire.Stream) { serve(o, s) }})
		}
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	end := wire.End{Name: "devtun-relay", Identity: "1", Claim: &claim.Claim{ID: "mine"}}
	l, err := end.Dial(ctx, duplex.TCP{TCPConn: conn.(*net.TCPConn)})
	require.NoError(t, err)
	go func() {
		defer func() { ended <- struct{}{} }()
		_ = (&wire.Developer{}).Run(ctx, l)
	}()
	t.Cleanup(func() { cancel(); <-ended; <-ended })
	return l
}

// dial opens a connection to db by a link.
func dial(t *testing.T, l *wire.Link) (tunnel.Conn, *relay) {
	t.Helper()
	return dialAsking(t, l, nil)
}

// dialAsking is dial, which asks what became of the connection if that is lost.
func dialAsking(t *testing.T, l *wire.Link, took asker) (tunnel.Conn, *relay) {
	t.Helper()
	r := new(relay)
	stream, err := l.Open(t.Context(), openingTo("tcp", db))
	conn, err := r.conn(stream, db, took, err)
	require.NoError(t, err)
	return conn, r
}

// TestWhatAClientSaysDoesNotWait for the relay's word, and its end is passed on.
func TestWhatAClientSaysDoesNotWait(t *testing.T) {
	conn, r := dial(t, link(t, func(o wire.Opening, s *wire.Stream) {
		said, _ := io.ReadAll(s) // before it is accepted
		if s.Accept() == nil {
			_, _ = io.WriteString(s, o.Dial.Host+" heard "+string(said))
		}
		_ = s.CloseWrite()
	}))
	open, total := r.counts.read()
	require.Equal(t, []int{1, 1}, []int{open, total})
	_, err := io.WriteString(conn, "hello")
	require.NoError(t, err)
	require.NoError(t, conn.CloseWrite())
	got, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Equal(t, "db.internal heard hello", string(got))
	require.NoError(t, conn.Close())
	open, total = r.counts.read()
	require.Equal(t, []int{0, 1}, []int{open, total})
}

func TestRefusalsGoToTheNextEndpoint(t *testing.T) {
	var refused interface{ Refused() bool }
	conn, _ := dial(t, link(t, func(_ wire.Opening, s *wire.Stream) { s.Refuse("connection refused") }))
	_, err := conn.Read(make([]byte, 1))
	require.ErrorAs(t, err, &refused)
	require.True(t, refused.Refused())
	require.EqualError(t, err, "the relay does not reach db.internal:5432: connection refused")
	conn.Close()

	// A link that is lost before anything was said is one that nobody has heard.
	for _, said := range []bool{false, true} {
		begun := make(chan struct{})
		l := link(t, func(_ wire.Opening, s *wire.Stream) { close(begun); <-s.Broken() })
		conn, _ := dial(t, l)
		<-begun
		if said {
			_, err := io.WriteString(conn, "x")
			require.NoError(t, err)
		}
		l.Close()
		_, err = conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, wire.ErrLost)
		require.Equal(t, !said, errors.As(err, &refused))
		conn.Close()
	}
}

const get = "GET / HTTP/1.1\r\nHost: db\r\n\r\n"

// TestWhatTheRelayHasNotTakenIsRefused, so that it goes elsewhere; what it has taken, or may
// have, has broken off.
func TestWhatTheRelayHasNotTakenIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		said    string
		took    bool
		err     error
		refused bool
	}{
		"not taken":         {said: "x", refused: true},
		"taken":             {said: "x", took: true},
		"unknown":           {said: "x", err: wire.ErrUnknown},
		"taken, harmless":   {said: get, took: true},
		"unknown, harmless": {said: get, err: wire.ErrUnknown, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			l := link(t, func(_ wire.Opening, s *wire.Stream) { <-s.Broken() })
			conn, _ := dialAsking(t, l, func(_ context.Context, at wire.Place) (bool, error) {
				require.Equal(t, wire.Place{Link: l.Name(), Stream: 3}, at)
				return c.took, c.err
			})
			defer conn.Close()
			_, err := io.WriteString(conn, c.said)
			require.NoError(t, err)
			l.Close()
			for _, do := range []func([]byte) (int, error){conn.Read, conn.Write, conn.Read} {
				_, err := do(make([]byte, 1))
				require.ErrorIs(t, err, wire.ErrLost)
				require.Equal(t, c.refused, errors.As(err, new(*refusedError)))
			}
		})
	}
}

// mute says nothing any more once silent is closed, nor that it is gone.
type mute struct {
	wire.Transport
	silent, over chan struct{}
	end          func() // closes over
}

func newMute(conn duplex.TCP, silent chan struct{}) wire.Transport {
	over := make(chan struct{})
	return mute{conn, silent, over, sync.OnceFunc(func() { close(over) })}
}

func (m mute) Write(p []byte) (int, error) {
	select {
	case <-m.silent:
		<-m.over
		return 0, net.ErrClosed
	default:
		return m.Transport.Write(p)
	}
}

func (m mute) Abort() {
	m.end()
	m.Transport.Abort()
}

// TestWhatIsHarmlessLeavesASilentRelay, and nothing else does.
func TestWhatIsHarmlessLeavesASilentRelay(t *testing.T) {
	t.Parallel()
	silent := make(chan struct{})
	l := linkBy(t, func(conn duplex.TCP) wire.Transport { return newMute(conn, silent) },
		func(_ wire.Opening, s *wire.Stream) { <-s.Broken() })
	never := func(context.Context, wire.Place) (bool, error) { return false, errors.New("nobody is to ask") }
	harmless, _ := dialAsking(t, l, never)
	other, _ := dialAsking(t, l, never)
	close(silent)
	for conn, said := range map[tunnel.Conn]string{harmless: get, other: "x"} {
		_, err := io.WriteString(conn, said)
		require.NoError(t, err)
	}
	read := make(chan error)
	go func() { _, err := other.Read(make([]byte, 1)); read <- err }()
	_, err := harmless.Read(make([]byte, 1))
	require.ErrorIs(t, err, errSilent)
	require.ErrorAs(t, err, new(*refusedError))
	require.NoError(t, other.Close())
	require.ErrorIs(t, <-read, net.ErrClosed, "it had waited")
	require.NoError(t, harmless.Close())
}

// TestNobodyWaitsForAClientThatHasLeft while the relay cannot be asked.
func TestNobodyWaitsForAClientThatHasLeft(t *testing.T) {
	l := link(t, func(_ wire.Opening, s *wire.Stream) { <-s.Broken() })
	asked := make(chan struct{})
	conn, _ := dialAsking(t, l, func(ctx context.Context, _ wire.Place) (bool, error) {
		close(asked)
		<-ctx.Done()
		return false, context.Cause(ctx)
	})
	_, err := io.WriteString(conn, "x")
	require.NoError(t, err)
	l.Close()
	read := make(chan error)
	go func() { _, err := conn.Read(make([]byte, 1)); read <- err }()
	<-asked
	require.NoError(t, conn.Close())
	require.ErrorIs(t, <-read, wire.ErrLost)
}

func TestAResetIsTheEndpoints(t *testing.T) {
	conn, _ := dial(t, link(t, func(_ wire.Opening, s *wire.Stream) {
		if s.Accept() == nil {
			s.Abort()
		}
	}))
	defer conn.Close()
	_, err := conn.Read(make([]byte, 1))
	var remote *tunnel.RemoteError
	require.ErrorAs(t, err, &remote)
	require.False(t, remote.Refused())
}

// TestWhatGoesThroughARelay is what was asked for, and nothing of which the address is unknown.
func TestWhatGoesThroughARelay(t *testing.T) {
	pod := tunnel.Endpoint{Pod: tunnel.Pod{Namespace: "demo", Name: "web-0"}, Host: "10.0.0.1", Port: 80}
	unknown := pod
	unknown.Host = ""
	for _, c := range []struct {
		use              forwards.RelayUse
		pod, db, unknown bool
	}{{forwards.RelayAll, true, true, false}, {forwards.RelayNeeded, false, true, false}} {
		r := New(Config{Use: c.use})
		require.Equal(t, c.pod, r.carries(pod))
		require.Equal(t, c.db, r.carries(db))
		require.Equal(t, c.unknown, r.carries(unknown))
		r.Close()
	}
	require.Nil(t, New(Config{}))
	require.NoError(t, (*Relays)(nil).Stand(t.Context(), "demo"))
	(*Relays)(nil).Close()
}

func TestFlag(t *testing.T) {
	for text, want := range map[string]forwards.RelayUse{
		"": forwards.NoRelay, "false": forwards.NoRelay, "true": forwards.RelayAll, "all": forwards.RelayAll,
		"only-needed": forwards.RelayNeeded,
	} {
		var use forwards.RelayUse
		require.NoError(t, (*Flag)(&use).Set(text))
		require.Equal(t, want, use)
	}
	require.EqualError(t, new(Flag).Set("x"), "it is one of all, only-needed")
}
