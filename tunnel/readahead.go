package tunnel

import (
	"bufio"
	"context"
	"net"
	"time"

	"k8s.io/client-go/transport"
)

const (
	// readAheadSize is how many bytes one read takes from an API connection's socket
	// at most: TLS asks for its records, of 16 KiB, one by one.
	readAheadSize = 128 << 10

	// connectTimeout and keepAlive are client-go's own.
	connectTimeout = 30 * time.Second
	keepAlive      = 30 * time.Second
)

// readAhead has connections read ahead, whoever dials them.
func readAhead(settings *transport.Config) {
	dial := (&net.Dialer{Timeout: connectTimeout, KeepAlive: keepAlive}).DialContext
	if settings.DialHolder != nil {
		dial = settings.DialHolder.Dial
	}
	settings.DialHolder = &transport.DialHolder{
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &aheadConn{conn, bufio.NewReaderSize(conn, readAheadSize)}, nil
		},
	}
}

// aheadConn is a connection that reads ahead.
type aheadConn struct {
	net.Conn
	reader *bufio.Reader
}

func (c *aheadConn) Read(p []byte) (int, error) { return c.reader.Read(p) }
