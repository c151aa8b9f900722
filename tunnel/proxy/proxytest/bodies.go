package proxytest

import "strings"

// bodies are about what follows the head of a request.
var bodies = []Exchange{
	{"a body", Keeps, []string{post + "Content-Length: 5\r\n\r\nhello", hello}},
	{"an empty body", Keeps, []string{post + "Content-Length: 0\r\n\r\n", empty}},
	{"no body", Keeps, []string{post + "\r\n", empty}},
	{"a body of a get", Keeps, []string{"GET / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", hello}},
	{"zeros before the length", Keeps, []string{post + "Content-Length: 0005\r\n\r\nhello", hello}},
	{"a body that looks like a request", Keeps, []string{post + "Content-Length: 30\r\n\r\n" + get, hello}},
	{"a body of lines", Keeps, []string{post + "Content-Length: 6\r\n\r\n\r\n\n\r\r\n", hello}},
	{"a large body", Keeps, []string{post + "Content-Length: 300000\r\n\r\n" + strings.Repeat("0123456789", 30_000),
		hello}},
	{"chunks", Keeps, []string{post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", hello}},
	{"chunks in other words", Keeps, []string{post + "transfer-encoding:  Chunked \r\n\r\n05\r\nhello\r\nA " +
		"\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n", hello}},
	{"chunks with extensions", Keeps, []string{post + "Transfer-Encoding: chunked\r\n\r\n5;a=b;c=\"d " +
		"e\"\r\nhello\r\n0;x\r\n\r\n", hello}},
	{"chunks with a trailer", Keeps, []string{post + "Trailer: Sum\r\nTransfer-Encoding: " +
		"chunked\r\n\r\n5\r\nhello\r\n0\r\nSum: 1\r\nsum: 2\r\n\r\n", hello}},
	{"many chunks", Keeps, []string{post + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", 3000) +
		"0\r\n\r\n", hello}},
	{"a chunk of lines", Keeps, []string{post + "Transfer-Encoding: chunked\r\n\r\n7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n",
		hello}},
	{"it may continue", Keeps, []string{post + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n", "hi", hello}},
	{"it may continue in chunks", Keeps, []string{post + "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 100 \r\nA: b\r\n\r\n", "2\r\nhi\r\n0\r\n\r\n", hello}},
	{"it may not continue", Pinned, []string{post + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"}},
	{"an answer before the body is complete", Keeps,
		[]string{post + "Content-Length: 4\r\n\r\nhe", "HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n", "y!", ""}},
}
