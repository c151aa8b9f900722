package dns

import (
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/dns/loopback"
	"github.com/devtun/devtun/internal/proc"
)

// listenSomewhere listens on a free port of address.
func listenSomewhere(t *testing.T, address string) (listener net.Listener, port uint16) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	return listener, listener.Addr().(*net.TCPAddr).AddrPort().Port()
}

func TestListen(t *testing.T) {
	listener, err := Listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"))
	require.NoError(t, err)
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	server, err := listener.Accept()
	require.NoError(t, err)
	_, err = server.Write([]byte("hello"))
	require.NoError(t, err)
	require.NoError(t, server.Close())
	got, err := io.ReadAll(client)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
}

func TestListenInUse(t *testing.T) {
	_, port := listenSomewhere(t, "127.0.0.1:0")
	at := netip.AddrPortFrom(addr("127.0.0.1"), port)
	_, err := Listen(t.Context(), at)
	var refused *ListenError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, at, refused.Addr)
	require.True(t, inUse(err))
	requireSelf(t, refused.Holder)
}

func TestListenOnlyOnLoopback(t *testing.T) {
	for _, a := range []string{"0.0.0.0:0", "8.8.8.8:0", "[::1]:0", "[::]:0", "[::ffff:10.0.0.1]:0"} {
		at := netip.MustParseAddrPort(a)
		var refused *ListenError
		_, err := Listen(t.Context(), at)
		require.ErrorAs(t, err, &refused)
		require.ErrorContains(t, err, "neither loopback nor a pod's")
		_, err = ListenPacket(t.Context(), at)
		require.ErrorAs(t, err, &refused)
		require.ErrorContains(t, err, "neither loopback nor a pod's")
	}
}

// An address may be private and in use here: only what was added for this session is a
// pod's.
func TestListenOnNoAddressOfOthers(t *testing.T) {
	direct := Direct{Aliases: new(loopback.Aliases)}
	at := netip.MustParseAddrPort("10.0.0.1:0")
	_, err := direct.Listen(t.Context(), at)
	require.ErrorIs(t, err, errNotAdded)
	_, err = direct.ListenPacket(t.Context(), at)
	require.ErrorIs(t, err, errNotAdded)
}

func TestListenErrorText(t *testing.T) {
	at := netip.MustParseAddrPort("127.1.2.3:80")
	for _, c := range []struct {
		holder proc.Process
		want   string
	}{
		{proc.Process{}, "listen on 127.1.2.3:80: EOF"},
		{proc.Process{PID: 7}, "listen on 127.1.2.3:80: EOF by pid 7"},
		{proc.Process{PID: 7, Name: "nginx"}, "listen on 127.1.2.3:80: EOF by nginx (pid 7)"},
	} {
		require.EqualError(t, &ListenError{Addr: at, Holder: c.holder, Err: io.EOF}, c.want)
	}
}
