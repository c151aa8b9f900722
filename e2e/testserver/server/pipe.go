package server

import (
	"context"
	"io"
	"net"
	"strings"
	"time"

	"github.com/devtun/devtun/tunnel/duplex"
)

// originTimeout bounds the dial of an origin.
const originTimeout = 5 * time.Second

// maxAddress, in bytes, is more than an address has.
const maxAddress = 300

// Pipe carries the connections of the listeners to an origin, whole and unread, until
// ctx ends: the address of each port there is what origin gives.
func Pipe(ctx context.Context, listeners map[int]net.Listener, origin func(port int) string) error {
	return each(ctx, listeners, func(ctx context.Context, port int, listener net.Listener) error {
		return tcp(carryTo(origin(port)))(ctx, listener)
	})
}

// carryTo carries a connection to an address; one that cannot be carried is reset.
func carryTo(address string) handler {
	dialer := net.Dialer{Timeout: originTimeout}
	return func(ctx context.Context, conn *net.TCPConn) {
		client := duplex.TCP{TCPConn: conn}
		dialled, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			client.Abort()
			return
		}
		defer dialled.Close()
		duplex.CopyLean(ctx, client, duplex.TCP{TCPConn: dialled.(*net.TCPConn)})
	}
}

// carryAsked reads a line with an address, and carries what follows there.
func carryAsked(ctx context.Context, conn *net.TCPConn) {
	var line strings.Builder
	for one := make([]byte, 1); ; line.Write(one) { // not a byte of what follows
		if _, err := io.ReadFull(conn, one); err != nil || line.Len() > maxAddress {
			return
		}
		if one[0] == '\n' {
			break
		}
	}
	carryTo(line.String())(ctx, conn)
}
