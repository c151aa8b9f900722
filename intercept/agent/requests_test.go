package agent

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	aGet  = "GET / HTTP/1.1\r\nHost: here\r\n\r\n"
	aHead = "HEAD / HTTP/1.1\r\nHost: here\r\n\r\n"
	aPost = "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\nask"
)

// TestOnlyOneRequestThatReadsIsRepeated: nothing that was sent behind it.
func TestOnlyOneRequestThatReadsIsRepeated(t *testing.T) {
	for text, repeatable := range map[string]bool{
		"":                           true,
		aGet:                         true,
		aGet[:20]:                    true,
		"OPTIONS * HTTP/1.1\r\n\r\n": true,
		"GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nask": true,
		"GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\na":   true,
		aPost:                               false,
		aHead:                               false,
		aGet + aPost:                        false,
		aGet + aPost[:1]:                    false,
		aGet + aGet:                         false,
		"GET / HTTP/1.1\n\nPOST / HTTP/1.1": false,
		"GET / HTTP/1.1\n\n" + aPost:        false,
		"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n": false,
	} {
		var u unanswered
		for i := range len(text) { // as it may come
			u.add([]byte{text[i]})
		}
		require.Equal(t, repeatable, u.repeatable(), "%q", text)
	}
}

// TestAResponseToHeadIsNotFollowed: it announces a body that does not come. Wherever
// the client has asked for it.
func TestAResponseToHeadIsNotFollowed(t *testing.T) {
	asked := aGet + aHead
	for split := range len(asked) {
		var r responses
		r.asked([]byte(asked[:split]))
		r.asked([]byte(asked[split:]))
		require.True(t, r.opaque, "after %d bytes", split)
	}
	var r responses
	for i := range len(asked) {
		r.asked([]byte{asked[i]})
	}
	require.True(t, r.opaque, "a byte at a time")
	var plain responses
	for range 3 {
		plain.asked([]byte(aGet))
		plain.asked([]byte(aPost))
	}
	require.False(t, plain.opaque)
}

func TestTheLastResponseIsKnown(t *testing.T) {
	for options, last := range map[string]bool{
		"Connection: close":                  true,
		"Connection: Foo, Close":             true,
		"connection: close,foo":              true,
		"Connection: foo":                    false,
		"Connection: closed":                 false,
		"Connection: a\r\nConnection: close": true,
	} {
		var r responses
		r.sent([]byte("HTTP/1.1 200 OK\r\n" + options + "\r\nContent-Length: 0\r\n\r\n"))
		require.True(t, r.complete)
		require.Equal(t, last, r.last, options)
	}
}
