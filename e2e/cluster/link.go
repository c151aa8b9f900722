package cluster

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
)

// makeLink joins host and first node: a veth pair whose far end becomes eth0 of the
// network namespace that pid is in, and the host's routes through it. The host's
// firewall, forwarding and settings are left alone.
func makeLink(ctx context.Context, device string, pid int, n network) error {
	for _, args := range [][]string{
		{"link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(pid)},
		{"address", "add", netip.PrefixFrom(n.gateway(1), linkBits).String(), "dev", device},
		{"link", "set", device, "up"},
		{"route", "add", n.pods().String(), "via", n.node(1).String(), "dev", device},
	} {
		if _, err := ip(ctx, args...); err != nil {
			return fmt.Errorf("make link: %w", err)
		}
	}
	return nil
}

// linkNodes joins the node of a number, which pid is in, to the first node, that of
// the process first, and has the first node lead to its pods.
func linkNodes(ctx context.Context, first, number, pid int, n network) error {
	inside, device := netOf(first), nodeName(number)
	_ = within(ctx, inside, "link", "delete", device) // its former life's, which the kernel may not have removed
	for _, args := range [][]string{
		{"link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(pid)},
		{"address", "add", netip.PrefixFrom(n.gateway(number), linkBits).String(), "dev", device},
		{"link", "set", device, "up"},
		{"route", "add", n.podsOf(number).String(), "via", n.node(number).String(), "dev", device},
	} {
		if err := within(ctx, inside, args...); err != nil {
			return fmt.Errorf("link nodes: %w", err)
		}
	}
	return nil
}

// removeLink removes the host's end, and with it the other end and the routes.
// The kernel does the same, but in its own time, once the namespace has gone.
func removeLink(ctx context.Context, device string) error {
	if !linkExists(device) {
		return nil
	}
	if _, err := ip(ctx, "link", "delete", device); err != nil && linkExists(device) {
		return fmt.Errorf("remove link: %w", err)
	}
	return nil
}

func linkExists(device string) bool {
	_, err := os.Stat(filepath.Join("/sys/class/net", device))
	return err == nil
}
