package proxy_test

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"

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
