package proxy

import (
	"bytes"
	"strings"
)

const (
	// preface is how HTTP/2 with prior knowledge begins (RFC 9113, section 3.4).
	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

	// maxMethod bounds, in bytes, what may be the method of a request.
	maxMethod = 32
)

// knownMethods tell HTTP/1 before the first line is whole (RFC 9110, section 9, and
// RFC 5789). Any other method needs that line.
var knownMethods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

// protocolOf tells a protocol by a client's first bytes, or that more of them are needed.
func protocolOf(p []byte) (protocol Protocol, known bool) {
	p = p[emptyLines(p):]
	switch {
	case len(p) == 0 || string(p) == "\r":
		return Other, false
	case len(p) < len(preface) && strings.HasPrefix(preface, string(p)):
		return HTTP2, false
	case bytes.HasPrefix(p, []byte(preface)):
		return HTTP2, true
	case p[0] == 0x16:
		return tlsOrOther(p)
	}
	return http1OrOther(p)
}

// tlsOrOther tells a record of a handshake whose first message is a ClientHello (RFC
// 8446, sections 4 and 5.1).
func tlsOrOther(p []byte) (protocol Protocol, known bool) {
	const major, clientHello = 3, 1
	switch {
	case len(p) > 1 && p[1] != major, len(p) > 2 && p[2] > 4, len(p) > 5 && p[5] != clientHello:
		return Other, true
	case len(p) < 6:
		return TLS, false
	}
	return TLS, true
}

// http1OrOther tells a request line (RFC 9112, section 3).
func http1OrOther(p []byte) (protocol Protocol, known bool) {
	method, rest, spaced := bytes.Cut(p, []byte(" "))
	if len(method) == 0 || len(method) > maxMethod || !isToken(method) {
		return Other, true
	}
	if !spaced {
		return HTTP1, false
	}
	for _, m := range knownMethods {
		if string(method) == m && len(rest) > 0 && bytes.IndexByte([]byte("/*hH"), rest[0]) >= 0 {
			return HTTP1, true
		}
	}
	line, _, whole := bytes.Cut(rest, []byte("\n"))
	switch {
	case bytes.ContainsFunc(bytes.TrimSuffix(line, []byte("\r")), func(r rune) bool { return r < ' ' || r == 0x7f }):
		return Other, true
	case !whole:
		return HTTP1, len(p) > maxHead
	}
	_, version, _ := bytes.Cut(line, []byte(" "))
	if bytes.HasPrefix(version, []byte("HTTP/1.")) {
		return HTTP1, true
	}
	return Other, true
}
