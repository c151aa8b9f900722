package dns

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/dns/loopback"
)

// Machine is all that a session asks of this machine and that may need root's
// rights. Direct does it with the rights of this process; helper.Client has the
// helper do it.
type Machine interface {
	// SetNames makes entries, all of them and no others, this session's names.
	// None at all removes them.
	SetNames(ctx context.Context, entries []hostsfile.Entry) (hostsfile.Report, error)
	// Listen returns a listening TCP socket, owned by the caller, on an address of 127/8
	// or one that AddAddress has added: that comes first for a pod's address, and on
	// macOS. Errors are *ListenError.
	Listen(ctx context.Context, addr netip.AddrPort) (net.Listener, error)
	// ListenPacket returns a UDP socket, owned by the caller, likewise.
	ListenPacket(ctx context.Context, addr netip.AddrPort) (net.PacketConn, error)
	// AddAddress makes an address usable here, of 127/8 or a pod's; one that is there is
	// fine. A pod's is refused as loopback.Aliases says.
	AddAddress(ctx context.Context, addr netip.Addr) error
	// RemoveAddress undoes AddAddress; one that is gone is fine.
	RemoveAddress(ctx context.Context, addr netip.Addr) error
}

// Direct is the Machine without a helper in between.
type Direct struct {
	Hosts   *hostsfile.File
	Aliases *loopback.Aliases
}

var _ Machine = Direct{}

// SetNames implements Machine.
func (d Direct) SetNames(ctx context.Context, entries []hostsfile.Entry) (hostsfile.Report, error) {
	return d.Hosts.Set(ctx, entries)
}

// Listen implements Machine.
func (d Direct) Listen(ctx context.Context, addr netip.AddrPort) (net.Listener, error) {
	if err := d.checkOwned(addr); err != nil {
		return nil, err
	}
	return Listen(ctx, addr)
}

// ListenPacket implements Machine.
func (d Direct) ListenPacket(ctx context.Context, addr netip.AddrPort) (net.PacketConn, error) {
	if err := d.checkOwned(addr); err != nil {
		return nil, err
	}
	return ListenPacket(ctx, addr)
}

// checkOwned refuses pods' addresses that this session has not added: they may be
// somebody else's here.
func (d Direct) checkOwned(addr netip.AddrPort) error {
	if addr.Addr().IsLoopback() || d.Aliases.Owned(addr.Addr()) {
		return nil
	}
	return &ListenError{Addr: addr, Err: errNotAdded}
}

var errNotAdded = errors.New("the address was not added before")

// AddAddress implements Machine.
func (d Direct) AddAddress(ctx context.Context, addr netip.Addr) error {
	return d.Aliases.Add(ctx, addr)
}

// RemoveAddress implements Machine.
func (d Direct) RemoveAddress(ctx context.Context, addr netip.Addr) error {
	return d.Aliases.Remove(ctx, addr)
}
