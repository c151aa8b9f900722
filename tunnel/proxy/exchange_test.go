package proxy_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/proxy"
	"github.com/devtun/devtun/tunnel/proxy/proxytest"
)

const (
	get         = "GET / HTTP/1.1\r\nHost: here\r\n\r\n"
	post        = "POST / HTTP/1.1\r\nHost: here\r\n"
	ok          = "HTTP/1.1 200 OK\r\n"
	empty       = ok + "Content-Length: 0\r\n\r\n"
	hello       = ok + "Content-Length: 5\r\n\r\nhello"
	nextAsks    = "GET /next HTTP/1.1\r\nHost: next\r\nX-Next: 1\r\n\r\n"
	lastAnswer  = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
	nextAnswers = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"
)

// TestExchangesAreByteForByte carries each exchange and the next request, which goes to
// another destination if the connection is not pinned to the first one, and the one after
// that, which goes back.
func TestExchangesAreByteForByte(t *testing.T) {
	t.Parallel()
	require.GreaterOrEqual(t, len(proxytest.Exchanges), 60)
	for _, x := range proxytest.Exchanges {
		for name, say := range map[string]func(peer, string){
			"whole": peer.says, "byte by byte": saysByByte,
		} {
			t.Run(x.Name+"/"+name, func(t *testing.T) {
				t.Parallel()
				runExchange(t, x, say)
			})
		}
	}
}

// saysByByte says it in pieces: of one byte, but for what is long.
func saysByByte(p peer, text string) {
	size := 1 + len(text)/2000
	for len(text) > 0 {
		n := min(size, len(text))
		p.says(text[:n])
		text = text[n:]
	}
}

func runExchange(t *testing.T, x proxytest.Exchange, say func(peer, string)) {
	first, second := newPlace(t), newPlace(t)
	r := &router{to: []proxy.Destination{first}}
	s := serve(t, r, proxy.Options{Silence: soon})
	var server peer
	for i, text := range x.Turns {
		switch {
		case i%2 == 1:
			say(server, text)
			s.hears(text)
		case i == 0:
			say(s.peer, text)
			server = first.accept(t)
			server.hears(text)
		default:
			say(s.peer, text)
			server.hears(text)
		}
	}
	require.Equal(t, x.Then == proxytest.Raw, r.first().Whole(), "whether it can be told what is asked")
	r.set(second)
	switch x.Then {
	case proxytest.Keeps:
		say(s.peer, nextAsks)
		next := second.accept(t)
		next.hears(nextAsks)
		say(next, nextAnswers)
		s.hears(nextAnswers)
		r.set(first)
		say(s.peer, x.Turns[0]) // by the connection it has there
		server.hears(x.Turns[0])
		server.says(lastAnswer)
		s.hears(lastAnswer)
		s.CloseWrite()
		next.Close() // at the client's end, as servers do: lest it be waited for
	case proxytest.Pinned, proxytest.Raw:
		say(s.peer, nextAsks)
		server.hears(nextAsks)
		say(server, "anything")
		s.hears("anything")
		s.CloseWrite()
		server.ends()
	case proxytest.Closes:
		server.CloseWrite()
		server.ends() // in good order
		s.ends()
		s.Close()
	}
	server.Close()
	require.NoError(t, s.isOver())
	if x.Then != proxytest.Keeps {
		require.Zero(t, second.dialled.Load())
	}
	require.EqualValues(t, 1, first.dialled.Load())
}

// TestPipelinedRequestsEachGoTheirWay, and their answers come in order.
func TestPipelinedRequestsEachGoTheirWay(t *testing.T) {
	t.Parallel()
	places := []*place{newPlace(t), newPlace(t), newPlace(t)}
	r := &router{route: func(r *proxy.Request) proxy.Route {
		return proxy.Route{To: places[r.Path()[1]-'0']}
	}}
	s := serve(t, r, proxy.Options{})
	ask := func(n int) string {
		return fmt.Sprintf("POST /%d?a=/b HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n%s", n%3, n,
			strings.Repeat("x", n))
	}
	const count = 9
	go func() {
		var all strings.Builder
		for n := range count {
			all.WriteString(ask(n))
		}
		io.WriteString(s, all.String())
		s.CloseWrite()
	}()
	servers := make([]peer, 3)
	for n := range count {
		if n < 3 {
			servers[n] = places[n].accept(t)
		}
		server := servers[n%3]
		server.hears(ask(n))
		answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n%d\r\n0\r\n\r\n", n)
		server.says(answer)
		s.hears(answer)
	}
	for _, server := range servers {
		server.ends()
		server.Close()
	}
	s.ends()
	require.NoError(t, s.isOver())
}

var _ duplex.Conn = peer{}.TCP
