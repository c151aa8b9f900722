package dns

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
)

// AddAddress makes a loopback address usable. macOS answers on 127.0.0.1 alone
// until an alias is put on lo0, which is root's to do.
func AddAddress(ctx context.Context, addr netip.Addr) error {
	if err := checkAddr(addr); err != nil {
		return fmt.Errorf("add address: %w", err)
	}
	if present(addr) {
		return nil
	}
	return ifconfig(ctx, "lo0", "alias", addr.String(), "255.255.255.255")
}

// RemoveAddress undoes AddAddress; an address that is gone is fine.
func RemoveAddress(ctx context.Context, addr netip.Addr) error {
	if err := checkAddr(addr); err != nil {
		return fmt.Errorf("remove address: %w", err)
	}
	if addr == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || !present(addr) {
		return nil
	}
	return ifconfig(ctx, "lo0", "-alias", addr.String())
}

func present(addr netip.Addr) bool {
	lo, err := net.InterfaceByName("lo0")
	if err != nil {
		return false
	}
	addrs, _ := lo.Addrs()
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr() == addr {
			return true
		}
	}
	return false
}

func ifconfig(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "/sbin/ifconfig", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("run ifconfig %s: %w: %s", args, err, bytes.TrimSpace(out))
	}
	return nil
}
