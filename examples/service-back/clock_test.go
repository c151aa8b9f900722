package main

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestClock(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	var telling sync.WaitGroup
	telling.Go(func() { tellTime(server, "service-back") })
	defer telling.Wait()
	defer server.Close()

	client, err := net.Dial("udp", server.LocalAddr().String())
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = client.Write([]byte("what time is it?"))
	require.NoError(t, err)
	said := make([]byte, 512)
	n, err := client.Read(said)
	require.NoError(t, err)
	require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ service-back on \S+\n$`, string(said[:n]))
}
