package dns

import (
	"context"
	"net"
	"net/netip"
)

// ListenPacket opens a UDP socket, on the addresses that Listen takes; the caller owns
// it. All errors are *ListenError.
func ListenPacket(ctx context.Context, addr netip.AddrPort) (net.PacketConn, error) {
	config, err := configFor(addr)
	if err != nil {
		return nil, err
	}
	conn, err := config.ListenPacket(ctx, "udp"+family(addr), addr.String())
	if err != nil {
		return nil, &ListenError{Addr: addr, Err: reason(err)}
	}
	return conn, nil
}
