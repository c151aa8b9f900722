package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
)

// startPacket runs all services over UDP on ports of the kernel's choice.
func startPacket(t *testing.T) (addr func(port int) string) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	conns, err := ListenPacket(func(int) string { return "127.0.0.1:0" })
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var group errgroup.Group
	group.Go(func() error { return ServePacket(ctx, conns) })
	t.Cleanup(func() {
		cancel()
		require.NoError(t, group.Wait())
	})
	return func(port int) string { return conns[port].LocalAddr().String() }
}

func TestUDPEcho(t *testing.T) {
	addr := startPacket(t)
	conn, err := net.Dial("udp", addr(7000))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(testTimeout)))
	for _, size := range []int{0, 1, 1400, 60_000} {
		sent, got := bytes.Repeat([]byte{'x'}, size), make([]byte, 64<<10)
		_, err := conn.Write(sent)
		require.NoError(t, err)
		n, err := conn.Read(got)
		require.NoError(t, err)
		require.Equal(t, sent, got[:n])
	}
}

func TestQUICEcho(t *testing.T) {
	addr := startPacket(t)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	conn, err := quic.DialAddr(ctx, addr(7443),
		&tls.Config{InsecureSkipVerify: true, NextProtos: []string{QUICProtocol}}, nil)
	require.NoError(t, err)
	defer conn.CloseWithError(0, "")
	stream, err := conn.OpenStreamSync(ctx)
	require.NoError(t, err)
	_, err = io.WriteString(stream, "hello")
	require.NoError(t, err)
	require.NoError(t, stream.Close())
	got, err := io.ReadAll(stream)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
}
