package loopback

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/devtun/devtun/internal/proc"
)

// shared is the address space that providers share (RFC 6598), which clusters take for
// pods too.
var shared = netip.MustParsePrefix("100.64.0.0/10")

// ErrNotPrivate is of addresses that may be somebody's on the internet.
var ErrNotPrivate = errors.New("of no private range")

// CheckPod refuses addresses that are of no private range: those of RFC 1918, of
// RFC 6598 and of RFC 4193. No address that the internet knows is ever put on this
// machine.
func CheckPod(addr netip.Addr) error {
	if addr.Zone() != "" || addr.Is4In6() || !addr.IsPrivate() && !shared.Contains(addr) {
		return fmt.Errorf("address %s is %w", addr, ErrNotPrivate)
	}
	return nil
}

// HeldError says that another session has a pod's address on this machine.
type HeldError struct {
	Addr  netip.Addr
	Owner proc.ID
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("another devtun (pid %d) has %s", e.Owner.PID, e.Addr)
}

// RouteError says that this machine has a way of its own to an address, which it would
// lose.
type RouteError struct {
	Addr netip.Addr
	Route
}

func (e *RouteError) Error() string {
	if e.Local {
		return fmt.Sprintf("%s is an address of this machine (%s)", e.Addr, e.Device)
	}
	return fmt.Sprintf("this machine has a route to %s: %s by %s", e.Addr, e.Prefix, e.Device)
}

// UsedError says that programs of this machine have connections to an address, which is
// a node's then, most likely, or an API server's.
type UsedError struct{ Addr netip.Addr }

func (e *UsedError) Error() string { return fmt.Sprintf("programs here are connected to %s", e.Addr) }

// Route is where this machine sends packets. The zero value is the way to everywhere,
// or none.
type Route struct {
	Prefix netip.Prefix
	Device string
	Local  bool // to this machine itself
}

// specific reports that the route is no way to everywhere. Two halves of everything
// are one: by such routes VPNs keep a default route that was there before.
func (r Route) specific() bool { return r.Prefix.Bits() > 1 }

// refusal is what keeps a pod's address from being added.
func (a *Aliases) refusal(ctx context.Context, addr netip.Addr) error {
	if CheckPod(addr) != nil {
		return nil
	}
	owner, recorded, err := a.recordOf(addr)
	if err != nil {
		return err
	}
	if recorded && owner != a.owner && a.alive(owner) {
		return &HeldError{addr, owner}
	}
	if recorded {
		if there, err := a.lo.present(addr); there || err != nil {
			return err
		}
	}
	route, err := a.lo.route(ctx, addr)
	if err != nil {
		return err
	}
	if route.specific() {
		return &RouteError{addr, route}
	}
	used, err := a.lo.connected(addr)
	if err == nil && used {
		err = &UsedError{addr}
	}
	return err
}

// Owned reports whether addr is a pod's that has been added for this owner.
func (a *Aliases) Owned(addr netip.Addr) bool {
	if CheckPod(addr) != nil || a.lo == nil {
		return false
	}
	owner, recorded, err := a.recordOf(addr)
	return err == nil && recorded && owner == a.owner
}
