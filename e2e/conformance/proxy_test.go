package conformance

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/proxy"
)

// server is a destination: a TCP address.
type server string

type upstream struct{ duplex.TCP }

func (upstream) Taken() <-chan struct{} { return nil }

func (to server) Dial(ctx context.Context) (proxy.Upstream, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", string(to))
	if err != nil {
		return nil, err
	}
	return upstream{duplex.TCP{TCPConn: conn.(*net.TCPConn)}}, nil
}

// route says where a request goes.
type route func(r *proxy.Request) proxy.Destination

func (route) Only() (proxy.Destination, bool) { return nil, false }

func (to route) Route(_ context.Context, r *proxy.Request, _ []proxy.Destination) (proxy.Route, error) {
	return proxy.Route{To: to(r)}, nil
}

// patience is for clients that speak first, however late that is on a busy machine.
const patience = time.Minute

// carried is an address whose connections are carried.
func carried(t testing.TB, router proxy.Router) (address string) {
	t.Helper()
	listener := listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		for {
			accepted, err := listener.Accept()
			if err != nil {
				return
			}
			client := duplex.TCP{TCPConn: accepted.(*net.TCPConn)}
			work.Go(func() {
				defer client.Close()
				_ = proxy.New(client, router, proxy.Options{Silence: patience}).Serve(ctx)
			})
		}
	})
	t.Cleanup(func() { listener.Close(); cancel(); work.Wait() })
	return listener.Addr().String()
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return listener
}
