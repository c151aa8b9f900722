package proxy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProtocolOf(t *testing.T) {
	hello := "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
	for _, test := range []struct {
		said  string
		is    Protocol
		after int // bytes it is known
	}{
		{"GET / HTTP/1.1\r\n\r\n", HTTP1, 5},
		{"\r\n\r\nGET / HTTP/1.1\r\n\r\n", HTTP1, 9},
		{"OPTIONS * HTTP/1.1\r\n\r\n", HTTP1, 9},
		{"GET http://here/ HTTP/1.1\r\n\r\n", HTTP1, 5},
		{"CONNECT here:443 HTTP/1.1\r\n\r\n", HTTP1, 9},
		{"CONNECT db.local:443 HTTP/1.1\r\n\r\n", HTTP1, 31},
		{"PROPFIND /dav HTTP/1.1\r\n\r\n", HTTP1, 24},
		{"PRI / HTTP/1.1\r\n\r\n", HTTP1, 16},
		{"M-SEARCH * HTTP/1.0\r\n", HTTP1, 21},
		{"GET / HTTP/1.1\n\n", HTTP1, 5},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP2, 24},
		{"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", Other, 19},
		{hello, TLS, 6},
		{"\x16\x03\x01\x02\x00\x02", Other, 6},
		{"\x16\x02", Other, 2},
		{"\x16\x03\x09", Other, 3},
		{"\x00\x00\x00\x08\x04\xd2\x16\x2f", Other, 1}, // PostgreSQL asks for TLS
		{"*1\r\n$4\r\nPING\r\n", Other, 3},             // Redis
		{"PING\r\n", Other, 5},
		{"EHLO here.example\r\n", Other, 19},
		{"USER anonymous\r\n", Other, 16},
		{"SSH-2.0-OpenSSH_9.6\r\n", Other, 20},
		{"GET /\r\n", HTTP1, 5}, // HTTP/0.9, which the head reader finds
		{" GET / HTTP/1.1\r\n", Other, 1},
		{"\x10\x1a\x00\x04MQTT", Other, 1},
		{"AMQP\x00\x00\x09\x01", Other, 5},
		{strings.Repeat("A", 40), Other, 33},
		{"FOO \x01", Other, 5},
	} {
		for n := range len(test.said) {
			is, known := protocolOf([]byte(test.said[:n+1]))
			require.Equal(t, n+1 >= test.after, known, "%q", test.said[:n+1])
			if known {
				require.Equal(t, test.is, is, "%q", test.said[:n+1])
			}
		}
	}
	_, known := protocolOf(nil)
	require.False(t, known, "MySQL's client, which waits")
}
