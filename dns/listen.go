package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// Process is another program that stands in the way.
type Process struct {
	PID  int    // 0 when it is not known
	Name string // may be empty
}

// String is "name (pid 12)", with what is known of it; empty for nothing.
func (p Process) String() string {
	switch {
	case p.PID == 0:
		return ""
	case p.Name == "":
		return fmt.Sprintf("pid %d", p.PID)
	}
	return fmt.Sprintf("%s (pid %d)", p.Name, p.PID)
}

// PortHolder is the process that listens on addr, or on its port of all addresses: zero
// where the system does not tell (it is another user's, or not Linux).
func PortHolder(addr netip.AddrPort) Process { return portHolder(addr) }

// ListenError says why an address cannot be listened on. It unwraps to the
// system's reason; the three that have a cure are in use, no right to a low
// port, and no such address (errors.Is with syscall.EADDRINUSE, EACCES and
// EADDRNOTAVAIL).
type ListenError struct {
	Addr   netip.AddrPort
	Holder Process // who listens there, when in use and known
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
	if err := checkAddr(addr.Addr()); err != nil {
		return nil, &ListenError{Addr: addr, Err: err}
	}
	var config net.ListenConfig
	config.SetMultipathTCP(false) // useless on loopback, and it hides the listener's owner from /proc
	listener, err := config.Listen(ctx, "tcp4", addr.String())
	if err == nil {
		return listener, nil
	}
	refused := &ListenError{Addr: addr, Err: err}
	var number syscall.Errno
	if errors.As(err, &number) {
		refused.Err = number // net's own wrapping would repeat the address
	}
	if inUse(err) {
		refused.Holder = portHolder(addr)
	}
	return nil, refused
}
