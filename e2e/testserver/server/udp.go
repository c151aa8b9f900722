package server

import (
	"context"
	"fmt"
	"net"
)

// datagrams serves a UDP socket, which it closes, until ctx ends.
type datagrams func(ctx context.Context, conn *net.UDPConn) error

// packetServices are the services over UDP, by port.
var packetServices = map[int]datagrams{
	7000: echoDatagrams,
	7443: echoQUIC,
}

// ListenPacket opens the sockets of all services over UDP, at the address that addr
// gives for a port, and returns them by port.
func ListenPacket(addr func(port int) string) (map[int]*net.UDPConn, error) {
	conns := map[int]*net.UDPConn{}
	for port := range packetServices {
		conn, err := net.ListenPacket("udp", addr(port))
		if err != nil {
			for _, c := range conns {
				c.Close()
			}
			return nil, fmt.Errorf("listen on port %d/udp: %w", port, err)
		}
		conns[port] = conn.(*net.UDPConn)
	}
	return conns, nil
}

// ServePacket runs all services over UDP until ctx ends; the failure of one ends all.
func ServePacket(ctx context.Context, conns map[int]*net.UDPConn) error {
	return each(ctx, conns, func(ctx context.Context, port int, conn *net.UDPConn) error {
		return packetServices[port](ctx, conn)
	})
}

// echoDatagrams sends each datagram back to where it came from.
func echoDatagrams(ctx context.Context, conn *net.UDPConn) error {
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	datagram := make([]byte, 64<<10)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(datagram)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		_, _ = conn.WriteToUDPAddrPort(datagram[:n], from) // who has gone hears nothing
	}
}
