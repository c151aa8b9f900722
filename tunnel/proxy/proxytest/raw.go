package proxytest

// raw are understood until something makes the connection raw.
var raw = []Exchange{
	{"a web socket", Pinned, []string{
		"GET /ws HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " +
			"dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x02hi",
		"\x81\x82abcd\x09\x0b", "\x88\x00"}},
	{"connect", Pinned, []string{"CONNECT here:443 HTTP/1.1\r\nHost: here:443\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
		"\x16\x03\x01", "\x16\x03\x03"}},
	{"connect that is refused", Keeps, []string{"CONNECT here:443 HTTP/1.1\r\nHost: here:443\r\n\r\n",
		"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"}},
	{"an answer that is none", Pinned, []string{get, "ICY 200 OK\r\n\r\n"}},
	{"an answer with two lengths", Pinned, []string{get, ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx"}},
	{"an answer with a length and chunks", Pinned, []string{get, ok + "Content-Length: 1\r\nTransfer-Encoding: " +
		"chunked\r\n\r\n0\r\n\r\n"}},
	{"an answer of another coding", Pinned, []string{get, ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"}},
	{"an answer with bare line ends", Pinned, []string{get, "HTTP/1.1 200 OK\nContent-Length: 1\n\nx"}},
	{"an answer that is folded", Pinned, []string{get, ok + "A: b\r\n c\r\nContent-Length: 0\r\n\r\n"}},
	{"an answer in broken chunks", Pinned, []string{get, ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n"}},
}
