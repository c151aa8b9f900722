package proxy_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/proxy"
)

// notes is an observer that writes down what it is told: what is said by each side.
type notes struct {
	mu    sync.Mutex
	seen  []*note
	names map[proxy.Destination]string
}

type note struct {
	mu                   sync.Mutex
	what, asked, replied string
	end                  error
	ended                int
}

func (n *notes) Begin(r *proxy.Request, to proxy.Destination) proxy.Observation {
	n.mu.Lock()
	defer n.mu.Unlock()
	what := string(r.Protocol)
	if !r.Whole() {
		what = r.Method + " " + r.Path()
	}
	s := &note{what: what + " to " + n.names[to]}
	n.seen = append(n.seen, s)
	return s
}

func (s *note) add(to *string, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*to += fmt.Sprintf(format, args...)
}

func (s *note) RequestBody(p []byte)       { s.add(&s.asked, "%s", p) }
func (s *note) RequestEnd(f []proxy.Field) { s.add(&s.asked, "|%s", lines(f)) }
func (s *note) Answer(status int, header []proxy.Field) {
	s.add(&s.replied, "%d %s|", status, lines(header))
}
func (s *note) AnswerBody(p []byte)           { s.add(&s.replied, "%s", p) }
func (s *note) AnswerTrailer(f []proxy.Field) { s.add(&s.replied, "|%s", lines(f)) }

func (s *note) End(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end = err
	s.ended++
}

func lines(fields []proxy.Field) string {
	var all []string
	for _, f := range fields {
		all = append(all, f.Name+"="+f.Value)
	}
	return strings.Join(all, ",")
}

func (n *notes) require(t *testing.T, at int, what, asked, replied string, inOrder bool) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	require.Greater(t, len(n.seen), at)
	s := n.seen[at]
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Equal(t, []string{what, asked, replied}, []string{s.what, s.asked, s.replied})
	require.Equal(t, 1, s.ended)
	require.Equal(t, inOrder, s.end == nil, "%v", s.end)
}

func TestWhoLooksOn(t *testing.T) {
	t.Parallel()
	local, origin := developer(t), newPlace(t)
	n := &notes{names: map[proxy.Destination]string{local: "local", origin: "origin"}}
	s := serve(t, &router{to: []proxy.Destination{local, origin}}, proxy.Options{Observer: n})
	text := "POST /a?b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n2\r\nde\r\n0\r\nSum: 1\r\n\r\n"
	s.says(text)
	server := local.accept(t)
	server.hears(text)
	answer := "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: " +
		"chunked\r\n\r\n1\r\nx\r\n0\r\nT: 2\r\n\r\n"
	server.says(answer)
	s.hears(answer)

	s.says(get)
	server.hears(get)
	local.leave()
	server.Close()
	server = origin.accept(t)
	server.hears(get)
	server.says(ok + "\r\nhello")
	server.Close()
	s.hears(ok + "\r\nhello")
	s.ends()
	s.Close()
	require.NoError(t, s.isOver())
	n.require(t, 0, "POST /a to local", "abcde|Sum=1", "103 Link=x|200 Transfer-Encoding=chunked|x|T=2", true)
	n.require(t, 1, "GET / to local", "|", "", false)
	n.require(t, 2, "GET / to origin", "|", "200 |hello", true)
}

func TestWhoLooksOnAtWhatIsWhole(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"HTTP/1": "GET / HTTP/1.1\r\nA : b\r\n\r\n", "TLS": "\x16\x03\x01\x02\x00\x01", "other": "\x00",
	} {
		origin := newPlace(t)
		n := &notes{names: map[proxy.Destination]string{origin: "origin"}}
		s := serve(t, &router{to: []proxy.Destination{origin}}, proxy.Options{Observer: n})
		s.says(text)
		server := origin.accept(t)
		server.hears(text)
		server.says("said")
		server.Close()
		s.hears("said")
		s.ends()
		s.Close()
		require.NoError(t, s.isOver())
		n.require(t, 0, name+" to origin", text, "said", true)
	}
}

func TestWhoLooksOnSeesWhatBreaksOff(t *testing.T) {
	t.Parallel()
	origin := newPlace(t)
	n := &notes{names: map[proxy.Destination]string{origin: "origin"}}
	s := serve(t, &router{to: []proxy.Destination{origin}}, proxy.Options{Observer: n})
	s.says(ask[:len(ask)-1])
	server := origin.accept(t)
	server.hears(ask[:len(ask)-1])
	server.says(hello[:len(hello)-1])
	s.hears(hello[:len(hello)-1])
	server.Abort()
	s.breaks()
	require.NoError(t, s.isOver())
	n.require(t, 0, "POST / to origin", "as", "200 Content-Length=5|hell", false)
}

// TestARequestCarriesOn: what a route adds, and where.
func TestARequestCarriesOn(t *testing.T) {
	t.Parallel()
	baggage := proxy.Carried{Name: "baggage", Value: "devtun=me", List: true}
	tester := proxy.Carried{Name: "X-Tester", Value: "7"}
	for _, test := range []struct{ asks, arrives string }{
		{"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nbaggage: devtun=me\r\nX-Tester: 7\r\n\r\n"},
		{"GET / HTTP/1.1\r\nBaggage: a=b\r\nA: b\r\n\r\n",
			"GET / HTTP/1.1\r\nBaggage: a=b, devtun=me\r\nA: b\r\nX-Tester: 7\r\n\r\n"},
		{"GET / HTTP/1.1\r\nbaggage: a=b\r\nbaggage: c=d;e\r\nx-tester: 8\r\n\r\n",
			"GET / HTTP/1.1\r\nbaggage: a=b\r\nbaggage: c=d;e, devtun=me\r\nx-tester: 8\r\n\r\n"},
		{"GET / HTTP/1.1\r\nbaggage: a=b , devtun=me\r\nx-tester: 8\r\n\r\n",
			"GET / HTTP/1.1\r\nbaggage: a=b , devtun=me\r\nx-tester: 8\r\n\r\n"},
		{"GET / HTTP/1.1\r\nbaggage: devtun=mer\r\nx-tester:\r\n\r\n",
			"GET / HTTP/1.1\r\nbaggage: devtun=mer, devtun=me\r\nx-tester:\r\n\r\n"},
		{"GET / HTTP/1.1\r\nbaggage:\r\nx-tester:\r\n\r\n",
			"GET / HTTP/1.1\r\nbaggage: devtun=me\r\nx-tester:\r\n\r\n"},
		{"\r\nPOST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi",
			"\r\nPOST / HTTP/1.1\r\nContent-Length: 2\r\nbaggage: devtun=me\r\nX-Tester: 7\r\n\r\nhi"},
		{"GET / HTTP/1.1\r\nA : b\r\n\r\n", "GET / HTTP/1.1\r\nA : b\r\n\r\n"},
	} {
		origin := newPlace(t)
		s := serve(t, &router{route: func(*proxy.Request) proxy.Route {
			return proxy.Route{To: origin, Carry: []proxy.Carried{baggage, tester}}
		}}, proxy.Options{})
		s.says(test.asks)
		server := origin.accept(t)
		server.hears(test.arrives)
		server.says(hello)
		s.hears(hello)
	}
}

// TestAnAnswerSaysWhoGaveIt, the final one, beside that it is the last.
func TestAnAnswerSaysWhoGaveIt(t *testing.T) {
	t.Parallel()
	origin := newPlace(t)
	s := serve(t, &router{route: func(*proxy.Request) proxy.Route {
		return proxy.Route{To: origin, Mark: []proxy.Field{{Name: "Devtun", Value: "me@here"}}}
	}}, proxy.Options{})
	s.says(get)
	server := origin.accept(t)
	server.hears(get)
	server.says("HTTP/1.1 100 Continue\r\n\r\n" + hello)
	s.hears("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nDevtun: me@here\r\nContent-Length: 5\r\n\r\nhello")
	s.conn.Drain()
	s.asksFor(get, server, hello,
		"HTTP/1.1 200 OK\r\nDevtun: me@here\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
	s.ends()
}
