package helper

import (
	"context"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/internal/disk"
	"github.com/devtun/devtun/internal/proc"
)

func TestClientAndServer(t *testing.T) {
	s := serve(t)
	client := NewClient(s.peer)
	entries := someEntries(500)
	report, err := client.SetNames(t.Context(), entries)
	require.NoError(t, err)
	require.Equal(t, entries, s.machine.done().names)
	require.Equal(t, hostsfile.Report{
		Wrote:     true,
		Cleaned:   []proc.ID{{PID: 7, Boot: "another"}},
		Conflicts: []hostsfile.Conflict{{Name: "api", Addr: "10.0.0.1", Line: 3}},
	}, report)

	addr := netip.MustParseAddr("127.7.8.9")
	require.NoError(t, client.AddAddress(t.Context(), addr))
	require.True(t, s.machine.done().addresses[addr])
	require.NoError(t, client.RemoveAddress(t.Context(), addr))
	require.Empty(t, s.machine.done().addresses)
	require.NoError(t, client.Close())
	require.NoError(t, s.end(t))
	require.Empty(t, s.machine.done().names, "the helper takes the names out when its peer goes")
}

func TestASocketIsHandedOver(t *testing.T) {
	s := serve(t)
	client := NewClient(s.peer)
	defer client.Close()
	at := freePort(t, "127.7.8.9")
	listener, err := client.Listen(t.Context(), at)
	require.NoError(t, err)
	require.Equal(t, at.String(), listener.Addr().String())
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			io.WriteString(conn, "hello")
			conn.Close()
		}
	}()
	conn, err := net.Dial("tcp", at.String())
	require.NoError(t, err)
	defer conn.Close()
	text, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Equal(t, "hello", string(text))

	// The helper has kept no end of it.
	require.NoError(t, listener.Close())
	again, err := client.Listen(t.Context(), at)
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

func TestAUDPSocketIsHandedOver(t *testing.T) {
	s := serve(t)
	client := NewClient(s.peer)
	defer client.Close()
	at := freePort(t, "127.7.8.9")
	socket, err := client.ListenPacket(t.Context(), at)
	require.NoError(t, err)
	require.Equal(t, at.String(), socket.LocalAddr().String())
	require.NoError(t, socket.SetDeadline(time.Now().Add(testTimeout)))
	conn, err := net.Dial("udp", at.String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("hello"))
	require.NoError(t, err)
	text := make([]byte, 10)
	n, from, err := socket.ReadFrom(text)
	require.NoError(t, err)
	require.Equal(t, "hello", string(text[:n]))
	require.Equal(t, conn.LocalAddr().String(), from.String())

	_, err = client.ListenPacket(t.Context(), at)
	var refused *dns.ListenError
	require.ErrorAs(t, err, &refused)
	require.ErrorIs(t, err, syscall.EADDRINUSE)

	// The helper has kept no end of it.
	require.NoError(t, socket.Close())
	again, err := client.ListenPacket(t.Context(), at)
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

func freePort(t *testing.T, host string) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp", host+":0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).AddrPort()
}

func TestThePeersEndIsCleanedUp(t *testing.T) {
	for about, end := range map[string]func(*served){
		"it goes":          func(s *served) { s.peer.Close() },
		"the helper is to": func(s *served) { s.stop() },
	} {
		t.Run(about, func(t *testing.T) {
			s := serve(t)
			client := NewClient(s.peer)
			_, err := client.SetNames(t.Context(), someEntries(1))
			require.NoError(t, err)
			require.NoError(t, client.AddAddress(t.Context(), netip.MustParseAddr("127.7.8.9")))
			end(s)
			require.NoError(t, s.end(t))
			require.Equal(t, 2, s.machine.done().writes)
			require.Empty(t, s.machine.done().names)
			require.Empty(t, s.machine.done().addresses)
			_, err = client.SetNames(t.Context(), nil)
			require.ErrorIs(t, err, ErrGone)
		})
	}
}

// A helper that was killed has left the peer's names to the one that follows it.
func TestNamesOfTheHelperBeforeAreTakenOut(t *testing.T) {
	s := serve(t, func(server *Server) { server.Machine.SetNames(t.Context(), someEntries(2)) })
	client := NewClient(s.peer)
	listener, err := client.Listen(t.Context(), freePort(t, "127.7.8.9"))
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	require.NoError(t, client.Close())
	require.NoError(t, s.end(t))
	require.Empty(t, s.machine.done().names)
}

// An error is on this side what it was on the other, for all who ask.
func TestErrorsKeepTheirMeaning(t *testing.T) {
	at := netip.MustParseAddrPort("127.7.8.9:80")
	holder := proc.Process{PID: 12, Name: "nginx"}
	for about, c := range map[string]struct {
		err   error
		check func(t *testing.T, err error)
	}{
		"in use": {&dns.ListenError{Addr: at, Holder: holder, Err: syscall.EADDRINUSE}, func(t *testing.T, err error) {
			var refused *dns.ListenError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, dns.ListenError{Addr: at, Holder: holder, Err: syscall.EADDRINUSE}, *refused)
		}},
		"locked": {&disk.LockError{
			Path: "/etc", Holder: holder, Err: os.ErrDeadlineExceeded,
		}, func(t *testing.T, err error) {
			var locked *disk.LockError
			require.ErrorAs(t, err, &locked)
			require.Equal(t, holder, locked.Holder)
			require.Equal(t, "/etc", locked.Path)
		}},
		"read-only": {&fs.PathError{Op: "open", Path: "/etc/hosts", Err: syscall.EROFS}, func(t *testing.T, err error) {
			var path *fs.PathError
			require.ErrorAs(t, err, &path)
			require.ErrorIs(t, err, syscall.EROFS)
			require.Equal(t, "/etc/hosts", path.Path)
		}},
		"full":  {syscall.ENOSPC, func(t *testing.T, err error) { require.ErrorIs(t, err, syscall.ENOSPC) }},
		"other": {errTest, func(t *testing.T, err error) {}},
	} {
		t.Run(about, func(t *testing.T) {
			s := serve(t)
			s.machine.failWith(c.err)
			client := NewClient(s.peer)
			_, err := client.SetNames(t.Context(), someEntries(1))
			require.EqualError(t, err, c.err.Error())
			c.check(t, err)
			_, err = client.Listen(t.Context(), at)
			var refused *dns.ListenError
			require.ErrorAs(t, err, &refused)
			s.machine.failWith(nil)
			_, err = client.SetNames(t.Context(), nil)
			require.NoError(t, err, "the helper goes on")
		})
	}
}

func TestAnEndedContextAsksForNothing(t *testing.T) {
	s := serve(t)
	client := NewClient(s.peer)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := client.SetNames(ctx, someEntries(1))
	require.ErrorIs(t, err, context.Canceled)
	s.machine.untouched(t)
	_, err = client.SetNames(t.Context(), someEntries(1))
	require.NoError(t, err, "the conversation is as it was")
}
