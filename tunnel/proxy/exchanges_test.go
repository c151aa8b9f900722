package proxy_test

import "strings"

// then is what a connection is after an exchange.
type then int

const (
	keeps  then = iota // ready for the next request
	pinned             // one destination's, raw
	closes             // ended by its server
)

// exchange is what a client and a server say in turn, the client first.
type exchange struct {
	name  string
	then  then
	turns []string
}

const (
	get   = "GET / HTTP/1.1\r\nHost: here\r\n\r\n"
	ok    = "HTTP/1.1 200 OK\r\n"
	empty = ok + "Content-Length: 0\r\n\r\n"
	hello = ok + "Content-Length: 5\r\n\r\nhello"
	post  = "POST / HTTP/1.1\r\nHost: here\r\n"
)

var exchanges = []exchange{
	// Heads.
	{"a get", keeps, []string{get, hello}},
	{"nothing in it", keeps, []string{"GET / HTTP/1.1\r\n\r\n", empty}},
	{"order and case", keeps, []string{
		"GET / HTTP/1.1\r\nx-b: 1\r\nHOST: here\r\nX-a: 2\r\nX-B: 3\r\nx-b: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nset-cookie: a\r\nSERVER: x\r\nSet-Cookie: b\r\nContent-length: 0\r\n\r\n"}},
	{"spaces around values", keeps, []string{
		"GET / HTTP/1.1\r\nHost:here\r\nA:   b  \r\nC:\t d\t\r\nE:\r\nF: \r\n\r\n", empty}},
	{"bytes beyond ASCII", keeps, []string{"GET /\xc3\xa4 HTTP/1.1\r\nHost: here\r\nA: \xff\xfe\r\n\r\n",
		"HTTP/1.1 200 Na\xc3\xafve\r\nA: \xff\r\nContent-Length: 0\r\n\r\n"}},
	{"empty lines before it", keeps, []string{"\r\n\r\n" + get, hello}},
	{"a long target", keeps, []string{"GET /" + strings.Repeat("a", 9000) + " HTTP/1.1\r\nHost: here\r\n\r\n", hello}},
	{"a long header", keeps, []string{"GET / HTTP/1.1\r\nCookie: " + strings.Repeat("a", 40_000) + "\r\n\r\n", hello}},
	{"many headers", keeps, []string{"GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 1000) + "\r\n", hello}},
	{"an absolute target", keeps, []string{"GET http://here/a?b HTTP/1.1\r\nHost: there\r\n\r\n", hello}},
	{"options of all", keeps, []string{"OPTIONS * HTTP/1.1\r\nHost: here\r\n\r\n", "HTTP/1.1 204 No Content\r\nAllow: " +
		"GET\r\n\r\n"}},
	{"another method", keeps, []string{"PROPFIND /d HTTP/1.1\r\nHost: here\r\nDepth: 1\r\n\r\n",
		"HTTP/1.1 207 Multi-Status\r\nContent-Length: 2\r\n\r\nok"}},
	{"a method in small letters", keeps, []string{"get / HTTP/1.1\r\nHost: here\r\n\r\n", hello}},
	{"forwarded by others", keeps, []string{"GET / HTTP/1.1\r\nHost: here\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: " +
		"for=x\r\nVia: 1.1 y\r\n\r\n", hello}},
	{"two hosts", keeps, []string{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"}},
	{"hop-by-hop headers", keeps, []string{
		"GET / HTTP/1.1\r\nHost: here\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nTE: " +
			"trailers\r\nProxy-Connection: x\r\n\r\n",
		ok + "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n"}},
	{"an upgrade that is not granted", keeps, []string{"GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade, " +
		"HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n", hello}},

	// Bodies of requests.
	{"a body", keeps, []string{post + "Content-Length: 5\r\n\r\nhello", hello}},
	{"an empty body", keeps, []string{post + "Content-Length: 0\r\n\r\n", empty}},
	{"no body", keeps, []string{post + "\r\n", empty}},
	{"a body of a get", keeps, []string{"GET / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", hello}},
	{"zeros before the length", keeps, []string{post + "Content-Length: 0005\r\n\r\nhello", hello}},
	{"a body that looks like a request", keeps, []string{post + "Content-Length: 30\r\n\r\n" + get, hello}},
	{"a body of lines", keeps, []string{post + "Content-Length: 6\r\n\r\n\r\n\n\r\r\n", hello}},
	{"a large body", keeps, []string{post + "Content-Length: 300000\r\n\r\n" + strings.Repeat("0123456789", 30_000),
		hello}},
	{"chunks", keeps, []string{post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", hello}},
	{"chunks in other words", keeps, []string{post + "transfer-encoding:  Chunked \r\n\r\n05\r\nhello\r\nA " +
		"\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n", hello}},
	{"chunks with extensions", keeps, []string{post + "Transfer-Encoding: chunked\r\n\r\n5;a=b;c=\"d " +
		"e\"\r\nhello\r\n0;x\r\n\r\n", hello}},
	{"chunks with a trailer", keeps, []string{post + "Trailer: Sum\r\nTransfer-Encoding: " +
		"chunked\r\n\r\n5\r\nhello\r\n0\r\nSum: 1\r\nsum: 2\r\n\r\n", hello}},
	{"many chunks", keeps, []string{post + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", 3000) +
		"0\r\n\r\n", hello}},
	{"a chunk of lines", keeps, []string{post + "Transfer-Encoding: chunked\r\n\r\n7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n",
		hello}},
	{"it may continue", keeps, []string{post + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n", "hi", hello}},
	{"it may continue in chunks", keeps, []string{post + "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 100 \r\nA: b\r\n\r\n", "2\r\nhi\r\n0\r\n\r\n", hello}},
	{"it may not continue", pinned, []string{post + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"}},
	{"an answer before the body is complete", keeps,
		[]string{post + "Content-Length: 4\r\n\r\nhe", "HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n", "y!", ""}},

	// Answers.
	{"no content", keeps, []string{get, "HTTP/1.1 204 No Content\r\n\r\n"}},
	{"not modified, with a length", keeps, []string{get, "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n"}},
	{"head", keeps, []string{"HEAD / HTTP/1.1\r\nHost: here\r\n\r\n", ok + "Content-Length: 100\r\n\r\n"}},
	{"head of chunks", keeps, []string{"HEAD / HTTP/1.1\r\nHost: here\r\n\r\n",
		ok + "Transfer-Encoding: chunked\r\n\r\n"}},
	{"head of what has no length", keeps, []string{"HEAD / HTTP/1.1\r\nHost: here\r\n\r\n", ok + "\r\n"}},
	{"an answer in chunks", keeps, []string{get, ok + "Transfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nSum: " +
		"1\r\n\r\n"}},
	{"a large answer", keeps, []string{get, ok + "Content-Length: 300000\r\n\r\n" +
		strings.Repeat("0123456789", 30_000)}},
	{"a long head of an answer", keeps,
		[]string{get, ok + "A: " + strings.Repeat("b", 50_000) + "\r\nContent-Length: 1\r\n\r\nx"}},
	{"no reason", keeps, []string{get, "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"}},
	{"no space for a reason", keeps, []string{get, "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"}},
	{"early hints", keeps, []string{get, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" +
		hello}},
	{"until the server closes", closes, []string{get, ok + "\r\nhello"}},
	{"nothing until the server closes", closes, []string{get, ok + "\r\n"}},
	{"the answer is the last", closes, []string{get, ok + "Connection: close\r\nContent-Length: 5\r\n\r\nhello"}},
	{"the answer is the last, in a list", closes, []string{get, ok + "Connection: x, CLOSE\r\nTransfer-Encoding: " +
		"chunked\r\n\r\n0\r\n\r\n"}},
	{"the request is the last", closes, []string{"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n", hello}},

	// HTTP/1.0.
	{"1.0", closes, []string{"GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nhello"}},
	{"1.0 with a length", closes,
		[]string{"GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"}},
	{"1.0 kept alive", keeps, []string{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello"}},
	{"1.0 as ab says it", keeps, []string{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nHost: here\r\nUser-Agent: " +
		"ApacheBench/2.3\r\nAccept: */*\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: " +
		"5\r\n\r\nhello"}},
	{"a server of 1.0", closes, []string{get, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"}},

	// What is raw.
	{"a web socket", pinned, []string{
		"GET /ws HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " +
			"dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x02hi",
		"\x81\x82abcd\x09\x0b", "\x88\x00"}},
	{"connect", pinned, []string{"CONNECT here:443 HTTP/1.1\r\nHost: here:443\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
		"\x16\x03\x01", "\x16\x03\x03"}},
	{"connect that is refused", keeps, []string{"CONNECT here:443 HTTP/1.1\r\nHost: here:443\r\n\r\n",
		"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"}},
	{"an answer that is none", pinned, []string{get, "ICY 200 OK\r\n\r\n"}},
	{"an answer with two lengths", pinned, []string{get, ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx"}},
	{"an answer with a length and chunks", pinned, []string{get, ok + "Content-Length: 1\r\nTransfer-Encoding: " +
		"chunked\r\n\r\n0\r\n\r\n"}},
	{"an answer of another coding", pinned, []string{get, ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"}},
	{"an answer with bare line ends", pinned, []string{get, "HTTP/1.1 200 OK\nContent-Length: 1\n\nx"}},
	{"an answer that is folded", pinned, []string{get, ok + "A: b\r\n c\r\nContent-Length: 0\r\n\r\n"}},
	{"an answer in broken chunks", pinned, []string{get, ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n"}},

	// What is malformed, or could be understood in two ways.
	{"a length and chunks", pinned, []string{post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		hello}},
	{"chunks and a length", pinned, []string{post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		hello}},
	{"two lengths", pinned, []string{post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", hello}},
	{"a length twice", pinned, []string{post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", hello}},
	{"a list of lengths", pinned, []string{post + "Content-Length: 5, 5\r\n\r\nhello", hello}},
	{"a length with a sign", pinned, []string{post + "Content-Length: +5\r\n\r\nhello", hello}},
	{"a negative length", pinned, []string{post + "Content-Length: -1\r\n\r\n", hello}},
	{"a length that is too long", pinned, []string{post + "Content-Length: 99999999999999999999\r\n\r\n", hello}},
	{"an empty length", pinned, []string{post + "Content-Length:\r\n\r\n", hello}},
	{"another coding", pinned, []string{post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", hello}},
	{"a coding that is none", pinned, []string{post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", hello}},
	{"chunked twice", pinned, []string{post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		hello}},
	{"chunks in 1.0", pinned, []string{"POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: " +
		"chunked\r\n\r\n0\r\n\r\n", hello}},
	{"a folded header", pinned, []string{"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", hello}},
	{"a folded first header", pinned, []string{"GET / HTTP/1.1\r\n A: b\r\n\r\n", hello}},
	{"a bare LF", pinned, []string{"GET / HTTP/1.1\nHost: here\r\n\r\n", hello}},
	{"bare LFs", pinned, []string{"GET / HTTP/1.1\nHost: here\n\n", hello}},
	{"a bare CR", pinned, []string{"GET / HTTP/1.1\r\nA: b\rContent-Length: 5\r\n\r\n", hello}},
	{"a space before the colon", pinned, []string{post + "Content-Length : 5\r\n\r\nhello", hello}},
	{"a control character in a name", pinned, []string{post + "Content-Length\x0b: 5\r\n\r\nhello", hello}},
	{"a zero byte in a value", pinned, []string{"GET / HTTP/1.1\r\nA: b\x00c\r\n\r\n", hello}},
	{"no colon", pinned, []string{"GET / HTTP/1.1\r\nHost\r\n\r\n", hello}},
	{"no name", pinned, []string{"GET / HTTP/1.1\r\n: b\r\n\r\n", hello}},
	{"another version", pinned, []string{"GET / HTTP/2.0\r\n\r\n", hello}},
	{"no version", pinned, []string{"GET /\r\n\r\n", hello}},
	{"two spaces", pinned, []string{"GET  / HTTP/1.1\r\n\r\n", hello}},
	{"a tab in the target", pinned, []string{"GET /\t/ HTTP/1.1\r\n\r\n", hello}},
	{"a head that is too long", pinned, []string{"GET / HTTP/1.1\r\nA: " + strings.Repeat("b", 70_000) + "\r\n\r\n",
		hello}},
	{"broken chunks", pinned, []string{post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n", hello}},
	{"a chunk ended by LF", pinned, []string{post + "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", hello}},
	{"a chunk's size with a prefix", pinned,
		[]string{post + "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", hello}},
	{"a chunk's size with a sign", pinned, []string{post + "Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
		hello}},
	{"a chunk too large", pinned, []string{post + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n", hello}},
	{"an extension with a bare LF", pinned,
		[]string{post + "Transfer-Encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n0\r\n\r\n", hello}},
	{"a folded trailer", pinned, []string{post + "Transfer-Encoding: chunked\r\n\r\n0\r\n a\r\n\r\n", hello}},
	{"a trailer with a bare LF", pinned, []string{post + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\n\r\n", hello}},
	{"a connect with a body", pinned, []string{"CONNECT here:443 HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", hello}},

	// What clients and servers really send.
	{"curl", keeps, []string{
		"GET /api?x=1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\nbaggage: " +
			"devtun=me\r\n\r\n",
		"HTTP/1.1 200 OK\r\nServer: nginx/1.27.3\r\nDate: Mon, 30 Nov 2026 08:00:00 GMT\r\nContent-Type: " +
			"text/html\r\nContent-Length: 5\r\nLast-Modified: Tue, 26 Nov 2024 15:55:00 GMT\r\nConnection: " +
			"keep-alive\r\nETag: \"6745ef54-267\"\r\nAccept-Ranges: bytes\r\n\r\nhello"}},
	{"Go's client", keeps, []string{
		"POST /v1 HTTP/1.1\r\nHost: service-middle:8080\r\nUser-Agent: Go-http-client/1.1\r\nTransfer-Encoding: " +
			"chunked\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n7\r\n{\"a\":1}\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 30 Nov 2026 08:00:00 GMT\r\nTransfer-Encoding: " +
			"chunked\r\nTrailer: X-Sum\r\n\r\n7\r\n{\"b\":2}\r\n0\r\nX-Sum: 9\r\n\r\n"}},
	{"Node's fetch", keeps, []string{
		"GET / HTTP/1.1\r\nhost: localhost:3000\r\nconnection: keep-alive\r\naccept: */*\r\naccept-language: " +
			"*\r\nsec-fetch-mode: cors\r\nuser-agent: node\r\naccept-encoding: gzip, deflate\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX-Powered-By: Express\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 2\r\nETag: " +
			"W/\"2-n\"\r\nDate: Mon, 30 Nov 2026 08:00:00 GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\nhi"}},
	{"Node's http.request", closes, []string{
		"PUT /x HTTP/1.1\r\nHost: localhost:3000\r\nConnection: close\r\nTransfer-Encoding: " +
			"chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
		"HTTP/1.1 201 Created\r\nDate: Mon, 30 Nov 2026 08:00:00 GMT\r\nConnection: close\r\nTransfer-Encoding: " +
			"chunked\r\n\r\n0\r\n\r\n"}},
	{"nginx as a proxy", closes, []string{
		"GET /a HTTP/1.0\r\nHost: upstream\r\nConnection: close\r\nX-Real-IP: 10.0.0.1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"}},
	{"the kubelet's probe", closes, []string{
		"GET /healthz HTTP/1.1\r\nHost: 10.1.2.3:8080\r\nUser-Agent: kube-probe/1.31\r\nAccept: */*\r\nConnection: " +
			"close\r\n\r\n",
		"HTTP/1.1 200 OK\r\nDate: Mon, 30 Nov 2026 08:00:00 GMT\r\nContent-Length: 2\r\nContent-Type: text/plain; " +
			"charset=utf-8\r\nConnection: close\r\n\r\nok"}},
	{"events from a server", closes, []string{"GET /events HTTP/1.1\r\nHost: here\r\nAccept: text/event-stream\r\n\r\n",
		ok + "Content-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: 1\n\n"}},
	{"a server that is slow to read", closes, []string{post + "Content-Length: 4\r\n\r\nhe",
		"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"}},
}
