package proxy_test

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/proxy"
)

// TestAServerOfHTTP2MaySpeakFirst, and its client's requests are told apart nevertheless.
func TestAServerOfHTTP2MaySpeakFirst(t *testing.T) {
	t.Parallel()
	const settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	first := newPlace(t)
	s := serve(t, &router{only: first, to: []proxy.Destination{first}}, proxy.Options{})
	server := first.accept(t)
	server.says(settings)
	s.isSilent()
	s.says("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings)
	header := make([]byte, len(settings))
	_, err := io.ReadFull(s, header)
	require.NoError(t, err)
	require.NotEqual(t, settings, string(header), "it is not the server's own")
	require.EqualValues(t, 4, header[3], "but SETTINGS")
	s.Close()
	require.NoError(t, s.isOver())
	require.EqualValues(t, 1, first.dialled.Load())
}

// heldClient is heard late: what it says is read, and is not known before it is to be.
type heldClient struct {
	duplex.TCP
	said  chan struct{} // has a value for each time that it has said something
	known context.Context
}

func (c heldClient) Read(p []byte) (int, error) {
	n, err := c.TCP.Read(p)
	c.said <- struct{}{}
	<-c.known.Done()
	return n, err
}

// TestTheFirstIsTakenBackWhenItsClientSpeaks, which goes elsewhere, whatever it says.
func TestTheFirstIsTakenBackWhenItsClientSpeaks(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"a post": ask, "another's": "\x00\x01one"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			local, origin := newPlace(t), newPlace(t)
			r := &router{only: local, to: []proxy.Destination{local}}
			program, accepted := pair(t)
			known, know := context.WithCancel(t.Context())
			client := heldClient{TCP: accepted, said: make(chan struct{}, 10), known: known}
			s := serveClient(t, t.Context(), program, client, r, proxy.Options{})
			local.accept(t)
			s.says(text)
			<-client.said
			r.set(origin)
			s.conn.TakeBack(local)
			know()
			server := origin.accept(t)
			server.hears(text)
			server.says(hello)
			s.hears(hello)
		})
	}
}
