package loopback

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/devtun/devtun/internal/proc"
)

// inSpace runs the test in a network namespace of its own, with an interface up in
// 10.9.0.0/24, and a default route. It reports that this process is the one in it.
func inSpace(t *testing.T) bool {
	const inside = "DEVTUN_LOOPBACK_TEST_INSIDE"
	if os.Getenv(inside) == "" {
		child := exec.Command("/proc/self/exe", "-test.v", "-test.run=^"+t.Name()+"$")
		child.Env = append(os.Environ(), inside+"=yes")
		child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		if os.Geteuid() != 0 {
			child.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			child.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		}
		out, err := child.CombinedOutput()
		if err != nil && child.Process == nil && os.Geteuid() != 0 { // a root has one
			t.Skipf("no network namespace to be had: %v", err)
		}
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "--- PASS: "+t.Name())
		return false
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "v0"
	require.NoError(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "v1"}))
	for _, name := range []string{"lo", "v0", "v1"} {
		link, err := netlink.LinkByName(name)
		require.NoError(t, err)
		require.NoError(t, netlink.LinkSetUp(link))
	}
	link, err := netlink.LinkByName("v0")
	require.NoError(t, err)
	own, err := netlink.ParseAddr("10.9.0.1/24")
	require.NoError(t, err)
	require.NoError(t, netlink.AddrAdd(link, own))
	require.NoError(t, netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: net.IPv4(10, 9, 0, 2)}))
	return true
}

// TestPodAddressesOnThisSystem puts addresses on a real interface.
func TestPodAddressesOnThisSystem(t *testing.T) {
	if !inSpace(t) {
		return
	}
	ctx := t.Context()
	self, err := proc.Self()
	require.NoError(t, err)
	records := filepath.Join(t.TempDir(), "aliases")
	session := func(pid int) *Aliases {
		a := AliasesOf(proc.ID{PID: pid, Start: self.Start, Boot: self.Boot})
		a.dir = records
		a.alive = func(o proc.ID) bool { return o.PID != 9 }
		return a
	}
	a, other, dead := session(1), session(2), session(9)
	for _, pod := range []netip.Addr{podAddress, addr("fd00::5")} {
		require.NoError(t, a.Add(ctx, pod))
		require.NoError(t, a.Add(ctx, pod))
		there, err := a.lo.present(pod)
		require.NoError(t, err)
		require.True(t, there)
		require.True(t, a.Owned(pod))
		listener, err := net.Listen("tcp", netip.AddrPortFrom(pod, 0).String())
		require.NoError(t, err)
		conn, err := net.Dial("tcp", listener.Addr().String())
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		require.NoError(t, listener.Close())
		require.ErrorAs(t, other.Add(ctx, pod), new(*HeldError))
		require.NoError(t, a.Remove(ctx, pod))
		there, err = a.lo.present(pod)
		require.NoError(t, err)
		require.False(t, there)
	}

	var refused *RouteError
	require.ErrorAs(t, a.Add(ctx, addr("10.9.0.7")), &refused)
	require.Equal(t, Route{Prefix: netip.MustParsePrefix("10.9.0.0/24"), Device: "v0"}, refused.Route)
	require.ErrorAs(t, a.Add(ctx, addr("10.9.0.1")), &refused)
	require.True(t, refused.Local)
	require.ErrorAs(t, a.Add(ctx, addr("10.9.0.1")), &refused)

	// Who is connected to an address keeps it: here the far end is this machine's for a moment.
	far, err := netlink.ParseAddr("10.77.0.1/32")
	require.NoError(t, err)
	v0, err := netlink.LinkByName("v0")
	require.NoError(t, err)
	require.NoError(t, netlink.AddrAdd(v0, far))
	listener, err := net.Listen("tcp", "10.77.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, netlink.AddrDel(v0, far))
	require.ErrorAs(t, a.Add(ctx, addr("10.77.0.1")), new(*UsedError))

	// VPNs have two halves of everything in the place of a default route.
	v1, err := netlink.LinkByName("v1")
	require.NoError(t, err)
	_, half, err := net.ParseCIDR("0.0.0.0/1")
	require.NoError(t, err)
	require.NoError(t, netlink.RouteAdd(&netlink.Route{LinkIndex: v1.Attrs().Index, Dst: half}))
	require.NoError(t, a.Add(ctx, podAddress))
	require.NoError(t, a.RemoveAll(ctx))

	require.NoError(t, dead.Add(ctx, podAddress))
	stale, err := a.Stale()
	require.NoError(t, err)
	require.Equal(t, []netip.Addr{podAddress}, stale)
	removed, err := a.Clean(ctx)
	require.NoError(t, err)
	require.Equal(t, stale, removed)
	there, err := a.lo.present(podAddress)
	require.NoError(t, err)
	require.False(t, there)
}
