package proxytest

import "strings"

// heads are about what stands before a body.
var heads = []Exchange{
	{"a get", Keeps, []string{get, hello}},
	{"nothing in it", Keeps, []string{"GET / HTTP/1.1\r\n\r\n", empty}},
	{"order and case", Keeps, []string{
		"GET / HTTP/1.1\r\nx-b: 1\r\nHOST: here\r\nX-a: 2\r\nX-B: 3\r\nx-b: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nset-cookie: a\r\nSERVER: x\r\nSet-Cookie: b\r\nContent-length: 0\r\n\r\n"}},
	{"spaces around values", Keeps, []string{
		"GET / HTTP/1.1\r\nHost:here\r\nA:   b  \r\nC:\t d\t\r\nE:\r\nF: \r\n\r\n", empty}},
	{"bytes beyond ASCII", Keeps, []string{"GET /\xc3\xa4 HTTP/1.1\r\nHost: here\r\nA: \xff\xfe\r\n\r\n",
		"HTTP/1.1 200 Na\xc3\xafve\r\nA: \xff\r\nContent-Length: 0\r\n\r\n"}},
	{"empty lines before it", Keeps, []string{"\r\n\r\n" + get, hello}},
	{"a long target", Keeps, []string{"GET /" + strings.Repeat("a", 9000) + " HTTP/1.1\r\nHost: here\r\n\r\n", hello}},
	{"a long header", Keeps, []string{"GET / HTTP/1.1\r\nCookie: " + strings.Repeat("a", 40_000) + "\r\n\r\n", hello}},
	{"many headers", Keeps, []string{"GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 1000) + "\r\n", hello}},
	{"an absolute target", Keeps, []string{"GET http://here/a?b HTTP/1.1\r\nHost: there\r\n\r\n", hello}},
	{"options of all", Keeps, []string{"OPTIONS * HTTP/1.1\r\nHost: here\r\n\r\n", "HTTP/1.1 204 No Content\r\nAllow: " +
		"GET\r\n\r\n"}},
	{"another method", Keeps, []string{"PROPFIND /d HTTP/1.1\r\nHost: here\r\nDepth: 1\r\n\r\n",
		"HTTP/1.1 207 Multi-Status\r\nContent-Length: 2\r\n\r\nok"}},
	{"a method in small letters", Keeps, []string{"get / HTTP/1.1\r\nHost: here\r\n\r\n", hello}},
	{"forwarded by others", Keeps, []string{"GET / HTTP/1.1\r\nHost: here\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: " +
		"for=x\r\nVia: 1.1 y\r\n\r\n", hello}},
	{"two hosts", Keeps, []string{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"}},
	{"hop-by-hop headers", Keeps, []string{
		"GET / HTTP/1.1\r\nHost: here\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nTE: " +
			"trailers\r\nProxy-Connection: x\r\n\r\n",
		ok + "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n"}},
	{"an upgrade that is not granted", Keeps, []string{"GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade, " +
		"HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n", hello}},
}
