package conformance

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/proxy/proxytest"
)

// Mark is the line that a request has in its head to come out at a lane's Local, MarkName
// and MarkValue what it says.
const (
	MarkName  = "x-corpus"
	MarkValue = "here"
	Mark      = MarkName + ": " + MarkValue + "\r\n"
)

// Lane is a way through what is tested, for one connection at a time. A client dials it at
// In; what it says comes out at Origin, or, where it is a request with the mark, at Local.
type Lane struct {
	In            string
	Origin, Local net.Listener
}

// unmarked are the exchanges that are not run with the mark, and why.
var unmarked = map[string]string{
	"bare LFs": "a line with an end that is none of theirs would be another exchange",
}

// Exchanges runs those of proxytest by the lanes, each as it is and with the mark: what
// one end of a connection says is what the other one hears, to the last byte. The next
// request of each connection goes to the other place if it can be told from what was before.
func Exchanges(t *testing.T, lanes []Lane) {
	type run struct {
		name string
		does func(*testing.T, Lane)
	}
	runs := []run{{"pipelined", pipelined}}
	for _, x := range proxytest.Exchanges {
		runs = append(runs, run{x.Name + "/as it is", func(t *testing.T, l Lane) { exchange(t, l, x, false) }})
		if unmarked[x.Name] == "" {
			runs = append(runs, run{x.Name + "/marked", func(t *testing.T, l Lane) { exchange(t, l, x, true) }})
		}
	}
	waiting := make(chan run, len(runs))
	for _, r := range runs {
		waiting <- r
	}
	close(waiting)
	var all sync.WaitGroup
	for _, lane := range lanes {
		all.Go(func() {
			for r := range waiting {
				if !t.Run(r.name, func(t *testing.T) { r.does(t, lane) }) {
					return // what comes out of this lane may be what is left of it
				}
			}
			saysNoMore(t, lane.Origin)
			saysNoMore(t, lane.Local)
		})
	}
	all.Wait()
	for r := range waiting {
		t.Error("not run, since all lanes have failed:", r.name)
	}
}

const (
	next        = "GET /next HTTP/1.1\r\nHost: next\r\nX-Next: 1\r\n\r\n"
	nextAnswers = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"
	lastAnswer  = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)

// marked is a request with the mark as the last line of its head.
func marked(t testing.TB, request string) string {
	head := strings.TrimLeft(request, "\r\n")
	end := len(request) - len(head) + strings.Index(head, "\r\n\r\n") + len("\r\n")
	require.Contains(t, head, "\r\n\r\n")
	return request[:end] + Mark + request[end:]
}

// exchange runs one, and what follows it, on one connection.
func exchange(t *testing.T, lane Lane, x proxytest.Exchange, mark bool) {
	turns, here, there, follows := slices.Clone(x.Turns), lane.Origin, lane.Local, marked(t, next)
	if mark {
		turns[0] = marked(t, turns[0])
	}
	if mark && x.Then != proxytest.Raw { // the origin judges what cannot be told
		here, there, follows = lane.Local, lane.Origin, next
	}
	client := dial(t, lane.In)
	client.says(turns[0])
	server := accept(t, here)
	server.hears(turns[0])
	for i, text := range turns[1:] {
		if i%2 == 0 {
			server.says(text)
			client.hears(text)
		} else {
			client.says(text)
			server.hears(text)
		}
	}
	switch x.Then {
	case proxytest.Keeps:
		client.says(follows)
		other := accept(t, there)
		other.hears(follows)
		other.says(nextAnswers)
		client.hears(nextAnswers)
		client.says(turns[0]) // by the connection that it has there
		server.hears(turns[0])
		server.says(lastAnswer)
		client.hears(lastAnswer)
		over(client, server, other)
	case proxytest.Pinned, proxytest.Raw:
		client.says(follows)
		server.hears(follows)
		server.says("anything")
		client.hears("anything")
		over(client, server)
	case proxytest.Closes:
		require.NoError(t, server.conn.CloseWrite())
		client.ends()
		client.conn.Close()
		more, _ := io.ReadAll(server.input) // it may be reset: it has ended its side
		require.Empty(t, string(more))
	}
}

// pipelined runs requests that are said at once, by turns with the mark and without.
func pipelined(t *testing.T, lane Lane) {
	var asked []string
	for n := range 10 {
		ask := fmt.Sprintf("POST /%d HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n%s", n, n, strings.Repeat("x", n))
		if n%2 == 1 {
			ask = marked(t, ask)
		}
		asked = append(asked, ask)
	}
	client := dial(t, lane.In)
	client.says(strings.Join(asked, ""))
	servers := []*end{accept(t, lane.Origin), nil}
	for n, ask := range asked {
		if n == 1 {
			servers[n] = accept(t, lane.Local)
		}
		server := servers[n%2]
		server.hears(ask)
		answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n%d\r\n0\r\nSum: %d\r\n\r\n", n, n)
		server.says(answer)
		client.hears(answer)
	}
	over(client, servers...)
}
