package relay

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// flow is one that is carried from a pipe, whose far end is returned, to a socket that
// answers, until ended is closed.
func flow(t *testing.T, idleAfter time.Duration) (far *Datagrams, server net.PacketConn, ended chan struct{}) {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })
	socket, err := net.Dial("udp", server.LocalAddr().String())
	require.NoError(t, err)
	here, there := net.Pipe()
	far = NewDatagrams(there)
	t.Cleanup(func() { far.Close() })
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		carryDatagrams(context.Background(), here, socket, idleAfter)
	}()
	return far, server, ended
}

func TestAFlowEndsWhenItIsIdle(t *testing.T) {
	const idle = 200 * time.Millisecond
	far, server, ended := flow(t, idle)
	begun := time.Now()
	for time.Since(begun) < 2*idle { // which each datagram puts off, in either direction
		_, err := far.Write([]byte("ping"))
		require.NoError(t, err)
		buffer := make([]byte, 10)
		n, client, err := server.ReadFrom(buffer)
		require.NoError(t, err)
		require.Equal(t, "ping", string(buffer[:n]))
		_, err = server.WriteTo([]byte("pong"), client)
		require.NoError(t, err)
		n, err = far.Read(buffer)
		require.NoError(t, err)
		require.Equal(t, "pong", string(buffer[:n]))
	}
	_, err := far.Read(make([]byte, 1))
	require.Error(t, err)
	<-ended
}

// TestAFlowOutlivesARefusal: who listened there may be back with the next datagram.
func TestAFlowOutlivesARefusal(t *testing.T) {
	far, server, ended := flow(t, time.Minute)
	address := server.LocalAddr().String()
	server.Close()
	for range 3 { // of which each but the first is told that the one before was refused
		_, err := far.Write([]byte("lost"))
		require.NoError(t, err)
	}
	again, err := net.ListenPacket("udp", address)
	require.NoError(t, err)
	defer again.Close()
	got := make(chan string)
	go func() {
		defer close(got)
		buffer := make([]byte, 10)
		for {
			n, _, err := again.ReadFrom(buffer)
			if err != nil || string(buffer[:n]) == "heard" {
				got <- string(buffer[:n])
				return
			}
		}
	}()
	_, err = far.Write([]byte("heard"))
	require.NoError(t, err)
	require.Equal(t, "heard", <-got)
	far.Close()
	<-ended
}
