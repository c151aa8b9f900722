package loopback

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/devtun/devtun/internal/proc/sockdiag"
)

// lo is the loopback interface of Linux, of this process's network namespace.
type lo struct{}

const loopbackName = "lo"

// systemLoopback tells network namespaces apart: each has an interface of its own.
func systemLoopback() (system loopback, part string) {
	var space unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &space); err != nil {
		return lo{}, ""
	}
	return lo{}, "net-" + strconv.FormatUint(space.Ino, 10)
}

// answers implements loopback.
func (lo) answers(netip.Addr) bool { return true }

func (lo) present(addr netip.Addr) (bool, error) { return hasAddress(loopbackName, addr) }

func (lo) add(_ context.Context, _ *os.File, addr netip.Addr) error {
	return changeLo(addr, netlink.AddrAdd)
}

func (lo) remove(_ context.Context, _ *os.File, addr netip.Addr) error {
	return changeLo(addr, netlink.AddrDel)
}

func changeLo(addr netip.Addr, change func(netlink.Link, *netlink.Addr) error) error {
	link, err := netlink.LinkByName(loopbackName)
	if err != nil {
		return fmt.Errorf("look at %s: %w", loopbackName, err)
	}
	mask := net.CIDRMask(addr.BitLen(), addr.BitLen())
	return change(link, &netlink.Addr{
		IPNet: &net.IPNet{IP: addr.AsSlice(), Mask: mask},
		Scope: unix.RT_SCOPE_HOST, // not told to anybody, and no source of what leaves the machine
	})
}

// connected says no where the kernel does not tell.
func (lo) connected(addr netip.Addr) (bool, error) {
	peers, _ := sockdiag.Peers()
	return peers[addr], nil
}

// route asks for the route itself, not for what becomes of packets: the default one, and
// none at all, are the zero Route.
func (lo) route(_ context.Context, addr netip.Addr) (Route, error) {
	found, err := netlink.RouteGetWithOptions(addr.AsSlice(), &netlink.RouteGetOptions{FIBMatch: true})
	if errors.Is(err, unix.ENETUNREACH) || err == nil && len(found) == 0 {
		return Route{}, nil
	}
	if err != nil {
		// Not wrapped: what a route forbids is no lack of rights.
		return Route{}, fmt.Errorf("look up the route to %s: %v", addr, err)
	}
	first := found[0]
	route := Route{Local: first.Type == unix.RTN_LOCAL}
	if first.Dst != nil {
		to, _ := netip.AddrFromSlice(first.Dst.IP)
		bits, _ := first.Dst.Mask.Size()
		route.Prefix = netip.PrefixFrom(to.Unmap(), bits)
	}
	if device, err := net.InterfaceByIndex(first.LinkIndex); err == nil {
		route.Device = device.Name
	}
	return route, nil
}
