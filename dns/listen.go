package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/devtun/devtun/dns/loopback"
	"github.com/devtun/devtun/internal/proc"
)

// ListenError says why an address cannot be listened on. It unwraps to the
// system's reason; the three that have a cure are in use, no right to a low
// port, and no such address (errors.Is with syscall.EADDRINUSE, EACCES and
// EADDRNOTAVAIL).
type ListenError struct {
	Addr   netip.AddrPort
	Holder proc.Process // who listens there, when in use and known
	Err    error
}

func (e *ListenError) Error() string {
	if holder := e.Holder.String(); holder != "" {
		return fmt.Sprintf("listen on %s: %v by %s", e.Addr, e.Err, holder)
	}
	return fmt.Sprintf("listen on %s: %v", e.Addr, e.Err)
}

func (e *ListenError) Unwrap() error { return e.Err }

// Listen opens a TCP listener on a loopback address, or on a pod's that this machine has
// been given; the caller owns it. All errors are *ListenError. AddAddress comes first,
// where it is needed.
func Listen(ctx context.Context, addr netip.AddrPort) (net.Listener, error) {
	config, err := configFor(addr)
	if err != nil {
		return nil, err
	}
	config.SetMultipathTCP(false) // useless on loopback, and it hides the listener's owner from /proc
	listener, err := config.Listen(ctx, "tcp"+family(addr), addr.String())
	if err == nil {
		return listener, nil
	}
	refused := &ListenError{Addr: addr, Err: reason(err)}
	if inUse(err) {
		refused.Holder = proc.ListenerAt(addr)
	}
	return nil, refused
}

// reason is the system's own part of an error of package net, whose wrapping repeats the
// address.
func reason(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}

// configFor is how a socket is opened on addr, if it may be.
func configFor(addr netip.AddrPort) (config net.ListenConfig, err error) {
	if loopback.Check(addr.Addr()) == nil {
		return config, nil
	}
	config.Control = onThisMachine
	if err := loopback.CheckPod(addr.Addr()); err != nil {
		return config, &ListenError{Addr: addr, Err: fmt.Errorf("neither loopback nor a pod's: %w", err)}
	}
	return config, nil
}

// family is what package net calls the network of addr by.
func family(addr netip.AddrPort) string {
	if addr.Addr().Is4() {
		return "4"
	}
	return "6"
}
