// Package proxytest has exchanges of HTTP/1, as clients and servers say them, for the tests
// of whatever carries them: the kinds that the protocol has, what cannot be understood, and
// what programs really send.
package proxytest

import "slices"

// Exchange is what a client and a server say in turn, the client first.
type Exchange struct {
	Name  string
	Then  Then
	Turns []string
}

// Then is what a connection is after an exchange.
type Then int

const (
	Keeps  Then = iota // ready for the next request
	Pinned             // that server's, raw: something was said that ends the requests
	Raw                // that server's from the first byte on: no request can be told
	Closes             // ended by its server
)

// Exchanges are all of them; no two have the same name.
var Exchanges = slices.Concat(heads, bodies, answers, raw, malformed, programs)

// What many of them say.
const (
	get   = "GET / HTTP/1.1\r\nHost: here\r\n\r\n"
	post  = "POST / HTTP/1.1\r\nHost: here\r\n"
	ok    = "HTTP/1.1 200 OK\r\n"
	empty = ok + "Content-Length: 0\r\n\r\n"
	hello = ok + "Content-Length: 5\r\n\r\nhello"
)
