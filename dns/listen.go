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

// Listen opens a TCP listener on a loopback address; the caller owns it. All
// errors are *ListenError. macOS needs AddAddress first.
func Listen(ctx context.Context, addr netip.AddrPort) (net.Listener, error) {
	if err := loopback.Check(addr.Addr()); err != nil {
		return nil, &ListenError{Addr: addr, Err: err}
	}
	var config net.ListenConfig
	config.SetMultipathTCP(false) // useless on loopback, and it hides the listener's owner from /proc
	listener, err := config.Listen(ctx, "tcp4", addr.String())
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
