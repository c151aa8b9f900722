package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzHeads: what is understood of a request is what Go's reader understands of it, and
// every byte of it is head or body, wherever reads cut it.
func FuzzHeads(f *testing.F) {
	for _, text := range []string{
		"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
		"\r\nPOST /a?b HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabcGET",
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nA: b\r\n\r\nmore",
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "GET / HTTP/1.1\nA: b\n\n", "GET / HTTP/1.1\r\nA : b\r\n\r\n",
		"CONNECT a:1 HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		f.Add([]byte(text), 3)
	}
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		end, malformed := endOfHead(text)
		if end == 0 || malformed {
			return
		}
		r, h, ok := parseRequest(text[:end])
		if !ok {
			return
		}
		b := bodyOf(h, true)
		var content []byte
		keep := func(p []byte) { content = append(content, p...) }
		rest := text[end:]
		n, err := b.next(rest, keep)
		require.LessOrEqual(t, n, len(rest))
		requireSameInPieces(t, h, rest, max(1, cut), n, err, content)

		theirs, theirErr := http.ReadRequest(bufio.NewReader(bytes.NewReader(text[emptyLines(text):])))
		if theirErr != nil {
			return // it judges what is not framing, too
		}
		require.Equal(t, theirs.Method, r.Method)
		if h.chunked {
			require.Equal(t, []string{"chunked"}, theirs.TransferEncoding)
		} else {
			require.Empty(t, theirs.TransferEncoding)
			require.Equal(t, theirs.ContentLength, max(h.length, 0))
		}
		body, theirErr := io.ReadAll(theirs.Body)
		if theirErr == nil && err == nil && b.over() {
			require.Equal(t, string(body), string(content))
		}
	})
}

// requireSameInPieces reads a body again, so many bytes at a time.
func requireSameInPieces(t *testing.T, h head, rest []byte, size, n int, err error, content []byte) {
	b := bodyOf(h, true)
	var got []byte
	taken := 0
	for taken < len(rest) && !b.over() {
		piece := rest[taken:min(len(rest), taken+size)]
		m, pieceErr := b.next(piece, func(p []byte) { got = append(got, p...) })
		taken += m
		if pieceErr != nil {
			require.Error(t, err)
			break
		}
		require.Positive(t, m)
	}
	require.Equal(t, n, taken)
	require.Equal(t, string(content), string(got))
}
