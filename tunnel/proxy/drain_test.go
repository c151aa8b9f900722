package proxy_test

import (
	"context"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/proxy"
)

func answersOnce(t *testing.T, options proxy.Options) (s *serving, server peer) {
	origin := newPlace(t)
	s = serve(t, &router{to: []proxy.Destination{origin}}, options)
	s.says(get)
	server = origin.accept(t)
	server.hears(get)
	server.says(hello)
	s.hears(hello)
	return s, server
}

// TestDrainTellsTheClientWithTheNextAnswer, the final one, and closes behind that.
func TestDrainTellsTheClientWithTheNextAnswer(t *testing.T) {
	t.Parallel()
	const told = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
	for name, test := range map[string]struct {
		text, answer, hears string
		stays               bool
	}{
		"a get":       {get, hello, told, false},
		"early hints": {get, "HTTP/1.1 103 Early\r\n\r\n" + hello, "HTTP/1.1 103 Early\r\n\r\n" + told, false},
		"a long answer": {get, ok + "Content-Length: 90000\r\n\r\n" + strings.Repeat("a", 90_000),
			"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 90000\r\n\r\n" + strings.Repeat("a", 90_000), false},
		"no reason": {get, "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 404 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n", false},
		"a web socket": {get, "HTTP/1.1 101 Switching\r\n\r\nx", "HTTP/1.1 101 Switching\r\n\r\nx", true},
		"the last anyway": {get, ok + "Connection: close\r\nContent-Length: 0\r\n\r\n",
			ok + "Connection: close\r\nContent-Length: 0\r\n\r\n", true},
		"no answer": {get, "ICY 200\r\n\r\n", "ICY 200\r\n\r\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, server := answersOnce(t, proxy.Options{})
			s.says(test.text)
			server.hears(test.text)
			s.conn.Drain()
			server.says(test.answer)
			s.hears(test.hears)
			if test.stays {
				s.isSilent()
				return
			}
			s.ends()
			s.says(get) // which crosses that, and reaches nobody
			server.ends()
			s.Close()
			require.NoError(t, s.isOver())
		})
	}
}

// TestDrainClosesIdleConnections, after a while.
func TestDrainClosesIdleConnections(t *testing.T) {
	t.Parallel()
	s, server := answersOnce(t, proxy.Options{IdleAfter: 20 * quiet})
	s.conn.Drain()
	began := time.Now()
	s.isSilent()
	s.ends()
	require.Less(t, time.Since(began), soon/2)
	server.ends()
	s.Close()
	server.Close()
	require.NoError(t, s.isOver())
}

// slowClient takes nothing that it is told until it is to.
type slowClient struct {
	duplex.TCP
	told  chan struct{} // has a value for each time that it is told something
	takes context.Context
}

func (c slowClient) Write(p []byte) (int, error) {
	c.told <- struct{}{}
	<-c.takes.Done()
	return c.TCP.Write(p)
}

// TestDrainLeavesWhoIsAnswered: a client is not idle until it has all of the answer.
func TestDrainLeavesWhoIsAnswered(t *testing.T) {
	t.Parallel()
	origin := newPlace(t)
	program, accepted := pair(t)
	takes, take := context.WithCancel(t.Context())
	client := slowClient{TCP: accepted, told: make(chan struct{}, 10), takes: takes}
	s := serveClient(t, t.Context(), program, client, to(origin), proxy.Options{IdleAfter: quiet})
	s.says(get)
	server := origin.accept(t)
	server.hears(get)
	server.says(hello)
	<-client.told
	s.conn.Drain()
	s.isSilent()
	s.isSilent()
	taken := time.Now()
	take()
	s.hears(hello)
	s.ends()
	require.GreaterOrEqual(t, time.Since(taken), quiet)
}

// lateClient is one whose deadlines are over whenever it is read, as on a busy machine.
type lateClient struct {
	duplex.TCP
	late func()
}

func (c lateClient) SetReadDeadline(at time.Time) error {
	if time.Until(at) > 0 {
		c.late()
		at = time.Unix(1, 0)
	}
	return c.TCP.SetReadDeadline(at)
}

// TestDrainLeavesWhoHasAsked: a request that is there is not lost, however late the engine
// comes to read it.
func TestDrainLeavesWhoHasAsked(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("it is not known there what is yet to be read")
	}
	origin := newPlace(t)
	program, accepted := pair(t)
	ask := sync.OnceFunc(func() {
		_, err := io.WriteString(program, get)
		assert.NoError(t, err)
		assert.Eventually(t, accepted.Said, soon, time.Millisecond)
	})
	r := &router{only: origin, to: []proxy.Destination{origin}}
	s := serveClient(t, t.Context(), program, lateClient{accepted, ask}, r, proxy.Options{IdleAfter: quiet})
	s.says(get)
	server := origin.accept(t)
	server.hears(get)
	server.says(hello)
	s.hears(hello)
	s.conn.Drain()
	server.hears(get)
	server.says(hello)
	s.hears("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
	s.ends()
}

func TestDrainLeavesWhoIsAsking(t *testing.T) {
	t.Parallel()
	s, server := answersOnce(t, proxy.Options{IdleAfter: quiet / 5})
	s.says(get[:9])
	s.isSilent() // so that it has been read
	s.conn.Drain()
	s.isSilent()
	s.says(get[9:])
	server.hears(get)
	server.says(hello)
	s.hears("HTTP/1.1 200 OK\r\nConnection: close\r\n")
}

func TestDrainBeforeTheFirstRequest(t *testing.T) {
	t.Parallel()
	origin := newPlace(t)
	s := serve(t, &router{to: []proxy.Destination{origin}}, proxy.Options{Silence: soon})
	s.conn.Drain()
	s.says(get)
	server := origin.accept(t)
	server.hears(get)
	server.says(hello)
	s.hears("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
	s.ends()
}

// TestDrainLeavesWhatIsWhole.
func TestDrainLeavesWhatIsWhole(t *testing.T) {
	t.Parallel()
	origin := newPlace(t)
	s := serve(t, &router{to: []proxy.Destination{origin}}, proxy.Options{IdleAfter: quiet / 5})
	s.says("\x00one")
	server := origin.accept(t)
	server.hears("\x00one")
	s.conn.Drain()
	s.isSilent()
	s.says("two")
	server.hears("two")
	server.says("three")
	s.hears("three")
}
