package dns

import (
	"context"
	"net"
	"net/netip"

	"github.com/devtun/devtun/dns/loopback"
)

// ListenPacket opens a UDP socket on a loopback address; the caller owns it. All
// errors are *ListenError. macOS needs AddAddress first.
func ListenPacket(ctx context.Context, addr netip.AddrPort) (net.PacketConn, error) {
	if err := loopback.Check(addr.Addr()); err != nil {
		return nil, &ListenError{Addr: addr, Err: err}
	}
	var config net.ListenConfig
	conn, err := config.ListenPacket(ctx, "udp4", addr.String())
	if err != nil {
		return nil, &ListenError{Addr: addr, Err: reason(err)}
	}
	return conn, nil
}
