package mux_test

import (
	"io"
	"net"
	"testing"

	"github.com/moby/spdystream"
	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/mux"
)

// TestLeave: the far side has all that was said on each stream, and its end; the
// connection takes others.
func TestLeave(t *testing.T) {
	heard := make(chan string)
	client, _ := start(t, func(stream *spdystream.Stream) {
		said, err := io.ReadAll(stream)
		if err != nil {
			said = []byte(err.Error())
		}
		heard <- string(said)
	})
	for range 10 { // more than there are workers
		streams, err := client.Open(deadline(t), mux.Opening{}, mux.Opening{Ended: true}, mux.Opening{})
		require.NoError(t, err)
		require.Empty(t, <-heard, "it has ended from the start")
		_, err = streams[0].Write([]byte("hello"))
		require.NoError(t, err)
		mux.Leave(streams...)
		require.ElementsMatch(t, []string{"hello", ""}, []string{<-heard, <-heard})
		_, err = streams[0].Read(make([]byte, 1))
		require.ErrorIs(t, err, net.ErrClosed)
		mux.Leave(streams...)
		require.Zero(t, client.Streams())
	}
	require.NoError(t, client.Ping(deadline(t)))
}
