package relay

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHarmless(t *testing.T) {
	for said, want := range map[string]bool{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n":                 true,
		"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n":                true,
		"OPTIONS * HTTP/1.1\r\n\r\n":                        true,
		"GET / HTTP/1.1\r\nHost: a\r\n":                     false, // more is to come
		"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n":      false,
		"GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx":      false,
		"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n":      false,
		"PUT / HTTP/1.1\r\n\r\n":                            false,
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":                  false,
		"\x16\x03\x01\x00\x02\x01\x00":                      true,
		"\x16\x03\x01\x00\x02\x01\x00\x17\x03\x03\x00\x01x": false, // early data
		"\x16\x03\x01\x00\x03\x01\x00":                      false,
		"\x16\x03\x01\x00\x02\x02\x00":                      false, // no ClientHello
		"\x16\x03\x01\x00\x00":                              false,
		"":                                                  false,
		"INCR visits\r\n":                                   false,
	} {
		require.Equal(t, want, harmless([]byte(said)), "%q", said)
	}
}
