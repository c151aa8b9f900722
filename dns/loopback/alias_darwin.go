package loopback

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
)

// lo0 is the loopback interface of macOS.
type lo0 struct{}

func systemLoopback() loopback { return lo0{} }

func (lo0) present(addr netip.Addr) (bool, error) {
	lo, err := net.InterfaceByName("lo0")
	if err != nil {
		return false, fmt.Errorf("look at lo0: %w", err)
	}
	addrs, err := lo.Addrs()
	if err != nil {
		return false, fmt.Errorf("look at lo0: %w", err)
	}
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr() == addr {
			return true, nil
		}
	}
	return false, nil
}

func (lo0) ifconfig(ctx context.Context, lock *os.File, args ...string) error {
	return runHolding(ctx, lock, "/sbin/ifconfig", args...)
}
