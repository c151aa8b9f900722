package dns

import (
	"context"
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
	// Listen returns a listening TCP socket, owned by the caller. Where the
	// platform wants it, AddAddress comes first. Errors are *ListenError.
	Listen(ctx context.Context, addr netip.AddrPort) (net.Listener, error)
	// ListenPacket returns a UDP socket, owned by the caller, likewise.
	ListenPacket(ctx context.Context, addr netip.AddrPort) (net.PacketConn, error)
	// AddAddress makes a loopback address usable; one that is there is fine.
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
func (Direct) Listen(ctx context.Context, addr netip.AddrPort) (net.Listener, error) {
	return Listen(ctx, addr)
}

// ListenPacket implements Machine.
func (Direct) ListenPacket(ctx context.Context, addr netip.AddrPort) (net.PacketConn, error) {
	return ListenPacket(ctx, addr)
}

// AddAddress implements Machine.
func (d Direct) AddAddress(ctx context.Context, addr netip.Addr) error {
	return d.Aliases.Add(ctx, addr)
}

// RemoveAddress implements Machine.
func (d Direct) RemoveAddress(ctx context.Context, addr netip.Addr) error {
	return d.Aliases.Remove(ctx, addr)
}
