package proxytest

// programs are what clients and servers really send.
var programs = []Exchange{
	{"curl", Keeps, []string{
		"GET /api?x=1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\nbaggage: " +
			"devtun=me\r\n\r\n",
		"HTTP/1.1 200 OK\r\nServer: nginx/1.27.3\r\nDate: Mon, 30 Nov 2026 08:00:00 GMT\r\nContent-Type: " +
			"text/html\r\nContent-Length: 5\r\nLast-Modified: Tue, 26 Nov 2024 15:55:00 GMT\r\nConnection: " +
			"keep-alive\r\nETag: \"6745ef54-267\"\r\nAccept-Ranges: bytes\r\n\r\nhello"}},
	{"Go's client", Keeps, []string{
		"POST /v1 HTTP/1.1\r\nHost: service-middle:8080\r\nUser-Agent: Go-http-client/1.1\r\nTransfer-Encoding: " +
			"chunked\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n7\r\n{\"a\":1}\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 30 Nov 2026 08:00:00 GMT\r\nTransfer-Encoding: " +
			"chunked\r\nTrailer: X-Sum\r\n\r\n7\r\n{\"b\":2}\r\n0\r\nX-Sum: 9\r\n\r\n"}},
	{"Node's fetch", Keeps, []string{
		"GET / HTTP/1.1\r\nhost: localhost:3000\r\nconnection: keep-alive\r\naccept: */*\r\naccept-language: " +
			"*\r\nsec-fetch-mode: cors\r\nuser-agent: node\r\naccept-encoding: gzip, deflate\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX-Powered-By: Express\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 2\r\nETag: " +
			"W/\"2-n\"\r\nDate: Mon, 30 Nov 2026 08:00:00 GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\nhi"}},
	{"Node's http.request", Closes, []string{
		"PUT /x HTTP/1.1\r\nHost: localhost:3000\r\nConnection: close\r\nTransfer-Encoding: " +
			"chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
		"HTTP/1.1 201 Created\r\nDate: Mon, 30 Nov 2026 08:00:00 GMT\r\nConnection: close\r\nTransfer-Encoding: " +
			"chunked\r\n\r\n0\r\n\r\n"}},
	{"nginx as a proxy", Closes, []string{
		"GET /a HTTP/1.0\r\nHost: upstream\r\nConnection: close\r\nX-Real-IP: 10.0.0.1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"}},
	{"the kubelet's probe", Closes, []string{
		"GET /healthz HTTP/1.1\r\nHost: 10.1.2.3:8080\r\nUser-Agent: kube-probe/1.31\r\nAccept: */*\r\nConnection: " +
			"close\r\n\r\n",
		"HTTP/1.1 200 OK\r\nDate: Mon, 30 Nov 2026 08:00:00 GMT\r\nContent-Length: 2\r\nContent-Type: text/plain; " +
			"charset=utf-8\r\nConnection: close\r\n\r\nok"}},
	{"events from a server", Closes, []string{"GET /events HTTP/1.1\r\nHost: here\r\nAccept: text/event-stream\r\n\r\n",
		ok + "Content-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: 1\n\n"}},
	{"a server that is slow to read", Closes, []string{post + "Content-Length: 4\r\n\r\nhe",
		"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"}},
}
