package proxytest

import "strings"

// answers are about what servers say, those of HTTP/1.0 included.
var answers = []Exchange{
	{"no content", Keeps, []string{get, "HTTP/1.1 204 No Content\r\n\r\n"}},
	{"not modified, with a length", Keeps, []string{get, "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n"}},
	{"head", Keeps, []string{"HEAD / HTTP/1.1\r\nHost: here\r\n\r\n", ok + "Content-Length: 100\r\n\r\n"}},
	{"head of chunks", Keeps, []string{"HEAD / HTTP/1.1\r\nHost: here\r\n\r\n",
		ok + "Transfer-Encoding: chunked\r\n\r\n"}},
	{"head of what has no length", Keeps, []string{"HEAD / HTTP/1.1\r\nHost: here\r\n\r\n", ok + "\r\n"}},
	{"an answer in chunks", Keeps, []string{get, ok + "Transfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nSum: " +
		"1\r\n\r\n"}},
	{"a large answer", Keeps, []string{get, ok + "Content-Length: 300000\r\n\r\n" +
		strings.Repeat("0123456789", 30_000)}},
	{"a long head of an answer", Keeps,
		[]string{get, ok + "A: " + strings.Repeat("b", 50_000) + "\r\nContent-Length: 1\r\n\r\nx"}},
	{"no reason", Keeps, []string{get, "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"}},
	{"no space for a reason", Keeps, []string{get, "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"}},
	{"early hints", Keeps, []string{get, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" +
		hello}},
	{"until the server closes", Closes, []string{get, ok + "\r\nhello"}},
	{"nothing until the server closes", Closes, []string{get, ok + "\r\n"}},
	{"the answer is the last", Closes, []string{get, ok + "Connection: close\r\nContent-Length: 5\r\n\r\nhello"}},
	{"the answer is the last, in a list", Closes, []string{get, ok + "Connection: x, CLOSE\r\nTransfer-Encoding: " +
		"chunked\r\n\r\n0\r\n\r\n"}},
	{"the request is the last", Closes, []string{"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n", hello}},

	// HTTP/1.0.
	{"1.0", Closes, []string{"GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nhello"}},
	{"1.0 with a length", Closes,
		[]string{"GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"}},
	{"1.0 kept alive", Keeps, []string{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello"}},
	{"1.0 as ab says it", Keeps, []string{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nHost: here\r\nUser-Agent: " +
		"ApacheBench/2.3\r\nAccept: */*\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: " +
		"5\r\n\r\nhello"}},
	{"a server of 1.0", Closes, []string{get, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"}},
}
