package loopback

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
)

// lo0 is the loopback interface of macOS.
type lo0 struct{}

const loopbackName = "lo0"

func systemLoopback() (lo loopback, part string) { return lo0{}, "" }

// answers implements loopback.
func (lo0) answers(addr netip.Addr) bool { return addr == localhost }

func (lo0) present(addr netip.Addr) (bool, error) { return hasAddress(loopbackName, addr) }

func (lo0) add(ctx context.Context, lock *os.File, addr netip.Addr) error {
	return runHolding(ctx, lock, "/sbin/ifconfig", addArguments(addr)...)
}

func (lo0) remove(ctx context.Context, lock *os.File, addr netip.Addr) error {
	return runHolding(ctx, lock, "/sbin/ifconfig", removeArguments(addr)...)
}

func (lo0) connected(netip.Addr) (bool, error) { return false, nil }

func (lo0) route(ctx context.Context, addr netip.Addr) (Route, error) {
	said, err := askRoute(ctx, addr, addr.String())
	if err != nil || !said.cloned {
		return said.Route, err
	}
	// An entry for what was lately sent there, of which only the way is told.
	all, err := askRoute(ctx, addr, "default")
	if err == nil && said.sameWay(all) {
		return Route{}, nil
	}
	return said.Route, err
}

// askRoute asks for the route to a destination of the family that addr is of.
func askRoute(ctx context.Context, addr netip.Addr, to string) (routeAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	family := "-inet"
	if addr.Is6() {
		family = "-inet6"
	}
	out, err := exec.CommandContext(ctx, "/sbin/route", "-n", "get", family, to).CombinedOutput()
	answer, ok := parseRoute(string(out))
	if !ok {
		return answer, fmt.Errorf("look up the route to %s: %v: %s", to, err, out)
	}
	return answer, nil
}
