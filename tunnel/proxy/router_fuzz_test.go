package proxy_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/proxy"
	"github.com/devtun/devtun/tunnel/proxy/proxytest"
)

// FuzzRouter: what comes out at all destinations together is what went in, request by
// request, each at one of them; so a connection that is pinned is never split.
func FuzzRouter(f *testing.F) {
	for _, x := range proxytest.Exchanges {
		f.Add([]byte(x.Turns[0]+nextAsks+ask), uint16(7))
		f.Add([]byte(ask+x.Turns[0]+nextAsks), uint16(1000))
	}
	f.Fuzz(func(t *testing.T, said []byte, cut uint16) {
		if len(said) > 100_000 || bytes.HasPrefix(bytes.TrimLeft(said, "\r\n"), []byte("PRI")) {
			return
		}
		l := &ledger{}
		places := []*recorder{{l}, {l}, {l}}
		r := &router{route: func(*proxy.Request) proxy.Route {
			return proxy.Route{To: places[l.route()%len(places)]}
		}}
		program, accepted := pair(t)
		go func() {
			for rest := said; len(rest) > 0; {
				piece := rest[:min(len(rest), int(cut)+1)]
				if _, err := program.Write(piece); err != nil {
					break
				}
				rest = rest[len(piece):]
			}
			program.CloseWrite()
			io.Copy(io.Discard, program)
			program.Close()
		}()
		err := proxy.New(accepted, r, proxy.Options{Silence: soon}).Serve(t.Context())
		accepted.Close()
		require.NoError(t, err)
		require.False(t, l.split, "a request was sent to two")
		require.Truef(t, bytes.Equal(said, l.text), "%q arrived of %q", l.text, said)
	})
}

// ledger has what recorders were sent, in the order of its arrival.
type ledger struct {
	mu     sync.Mutex
	text   []byte
	routed int
	at     *recorder // which has had something since the last time it was asked where to
	split  bool
}

func (l *ledger) route() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = nil
	l.routed++
	return l.routed
}

// arrived notes what was sent, and reports that it begins a request.
func (l *ledger) arrived(at *recorder, p []byte) (begins bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	begins = l.at == nil
	l.split = l.split || !begins && l.at != at
	l.at = at
	return begins
}

// recorder is a destination that answers each request as soon as it begins, and ends with
// its client.
type recorder struct{ ledger *ledger }

func (r *recorder) Dial(context.Context) (proxy.Upstream, error) {
	near, far := net.Pipe()
	u := &recording{Conn: near, far: far, to: r, answers: make(chan struct{}, 1)}
	go func() {
		for range u.answers {
			io.WriteString(far, empty)
		}
		far.Close()
	}()
	return u, nil
}

// recording is a connection to a recorder.
type recording struct {
	net.Conn
	far     net.Conn
	to      *recorder
	answers chan struct{}
	once    sync.Once
}

func (u *recording) Taken() <-chan struct{} { return nil }

func (u *recording) Write(p []byte) (int, error) {
	if u.to.ledger.arrived(u.to, p) {
		u.answers <- struct{}{}
	}
	return len(p), nil
}

func (u *recording) CloseWrite() error {
	u.once.Do(func() { close(u.answers) })
	return nil
}

func (u *recording) Abort() {
	u.CloseWrite()
	u.far.Close()
	u.Conn.Close()
}
