package sockdiag

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestListening(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"} {
		listener, err := net.Listen("tcp", address)
		if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
			t.Logf("no IPv6 here: %v", err)
			continue
		}
		require.NoError(t, err)
		defer listener.Close()
		want := listener.Addr().(*net.TCPAddr).AddrPort()
		client, err := net.Dial("tcp", listener.Addr().String()) // a connection is no listener
		require.NoError(t, err)
		defer client.Close()

		at := Socket{want, inodeOf(t, listener)}
		all, err := Listening(0)
		require.NoError(t, err)
		require.Contains(t, all, at)
		some, err := Listening(want.Port())
		require.NoError(t, err)
		require.Contains(t, some, at)
		require.False(t, slices.ContainsFunc(some, func(s Socket) bool { return s.Addr.Port() != want.Port() }))
		from := client.LocalAddr().(*net.TCPAddr).AddrPort()
		require.False(t, slices.ContainsFunc(all, func(s Socket) bool { return s.Addr == from }))
	}
}

func TestListeningToMany(t *testing.T) {
	wanted := map[netip.AddrPort]bool{}
	for range 500 { // more than one part of an answer
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		require.NoError(t, err)
		defer listener.Close()
		wanted[listener.Addr().(*net.TCPAddr).AddrPort()] = true
	}
	all, err := Listening(0)
	require.NoError(t, err)
	for _, s := range all {
		delete(wanted, s.Addr)
	}
	require.Empty(t, wanted)
}

func inodeOf(t *testing.T, listener net.Listener) (inode uint64) {
	t.Helper()
	raw, err := listener.(*net.TCPListener).SyscallConn()
	require.NoError(t, err)
	var stat unix.Stat_t
	require.NoError(t, raw.Control(func(fd uintptr) { err = unix.Fstat(int(fd), &stat) }))
	require.NoError(t, err)
	return stat.Ino
}

// encoded is a message as the kernel sends it.
func encoded(kind uint16, data any) []byte {
	var b bytes.Buffer
	binary.Write(&b, binary.NativeEndian, unix.NlMsghdr{Len: uint32(unix.SizeofNlMsghdr + binary.Size(data)), Type: kind})
	binary.Write(&b, binary.NativeEndian, data)
	return b.Bytes()
}

func TestListeningIsRefused(t *testing.T) {
	_, _, err := parseSome(encoded(unix.NLMSG_ERROR, [5]int32{-int32(syscall.EPERM)}))
	require.ErrorIs(t, err, syscall.EPERM)
	for _, data := range []any{uint32(1), [20]byte{}} {
		_, _, err = parseSome(encoded(unix.SOCK_DIAG_BY_FAMILY, data))
		require.ErrorContains(t, err, "read sock_diag", fmt.Sprint(data))
	}
	_, done, err := parseSome(encoded(unix.NLMSG_DONE, uint32(0)))
	require.NoError(t, err)
	require.True(t, done)
}

func TestPeers(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.33.44.55:0")
	require.NoError(t, err)
	defer listener.Close()
	peer := netip.MustParseAddr("127.33.44.55")
	all, err := Peers()
	require.NoError(t, err)
	require.False(t, all[peer], "a listener is no connection")
	client, err := net.Dial("tcp4", listener.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	all, err = Peers()
	require.NoError(t, err)
	require.True(t, all[peer])
}
