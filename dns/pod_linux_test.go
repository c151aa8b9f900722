package dns

import (
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// space is a network namespace, in which a thread of its own does what it is given.
type space chan func()

// newSpace makes one, which ends with the test.
func newSpace(t *testing.T) (in space, thread int) {
	t.Helper()
	in = make(space)
	made := make(chan error)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		thread = unix.Gettid()
		made <- unix.Unshare(unix.CLONE_NEWNET)
		for do := range in {
			do()
		}
	}()
	require.NoError(t, <-made)
	t.Cleanup(func() { close(in); <-ended })
	return in, thread
}

// run has do done there.
func (s space) run(do func()) {
	done := make(chan struct{})
	s <- func() {
		defer close(done)
		do()
	}
	<-done
}

// has gives the interface name an address there, and has it up.
func (s space) has(t *testing.T, name, address string) {
	s.run(func() {
		link, err := netlink.LinkByName(name)
		require.NoError(t, err)
		require.NoError(t, netlink.LinkSetUp(link))
		addr, err := netlink.ParseAddr(address)
		require.NoError(t, err)
		require.NoError(t, netlink.AddrAdd(link, addr))
	})
}

// TestAPodsAddressIsThisMachinesOnly: a neighbour that sends packets for a pod's address
// here is not served.
func TestAPodsAddressIsThisMachinesOnly(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may make network namespaces")
	}
	here, _ := newSpace(t)
	neighbour, thread := newSpace(t)
	here.run(func() {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "v0"
		require.NoError(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "v1"}))
		peer, err := netlink.LinkByName("v1")
		require.NoError(t, err)
		require.NoError(t, netlink.LinkSetNsPid(peer, thread))
	})
	here.has(t, "lo", "10.244.1.5/32")
	here.has(t, "v0", "10.9.0.1/24")
	neighbour.has(t, "v1", "10.9.0.2/24")
	neighbour.run(func() {
		_, to, err := net.ParseCIDR("10.244.0.0/16")
		require.NoError(t, err)
		require.NoError(t, netlink.RouteAdd(&netlink.Route{Dst: to, Gw: net.IPv4(10, 9, 0, 1)}))
	})
	reach := func(from space, at net.Addr) (err error) {
		from.run(func() {
			var conn net.Conn
			if conn, err = net.DialTimeout("tcp", at.String(), 10*time.Second); err == nil {
				conn.Close()
			}
		})
		return err
	}
	pod := netip.MustParseAddrPort("10.244.1.5:0")
	var ours, any net.Listener
	here.run(func() {
		var err error
		ours, err = Listen(t.Context(), pod)
		require.NoError(t, err)
		any, err = net.Listen("tcp", pod.String())
		require.NoError(t, err)
	})
	defer ours.Close()
	defer any.Close()
	require.NoError(t, reach(here, ours.Addr()))
	require.ErrorIs(t, reach(neighbour, ours.Addr()), unix.ECONNREFUSED)
	require.NoError(t, reach(neighbour, any.Addr()), "the neighbour's packets come")

	var socket net.PacketConn
	here.run(func() {
		var err error
		socket, err = ListenPacket(t.Context(), pod)
		require.NoError(t, err)
	})
	defer socket.Close()
	ask := func(from space) (err error) {
		from.run(func() {
			conn, err1 := net.Dial("udp", socket.LocalAddr().String())
			require.NoError(t, err1)
			defer conn.Close()
			require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
			_, err1 = conn.Write([]byte("hello"))
			require.NoError(t, err1)
			if from == here {
				text := make([]byte, 10)
				_, _, err = socket.ReadFrom(text)
				return
			}
			_, err = conn.Read(make([]byte, 10))
		})
		return err
	}
	require.NoError(t, ask(here))
	require.ErrorIs(t, ask(neighbour), unix.ECONNREFUSED)
}
