package cluster

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
)

// makeLink joins host and node: a veth pair whose far end becomes eth0 of the
// network namespace that pid is in, and the host's routes through it. The host's
// firewall, forwarding and settings are left alone.
func makeLink(ctx context.Context, device string, pid int, n network) error {
	for _, args := range [][]string{
		{"link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(pid)},
		{"address", "add", netip.PrefixFrom(n.host(), linkBits).String(), "dev", device},
		{"link", "set", device, "up"},
		{"route", "add", n.pods().String(), "via", n.node().String(), "dev", device},
	} {
		if _, err := ip(ctx, args...); err != nil {
			return fmt.Errorf("make link: %w", err)
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
