package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/devtun/devtun/internal/pause"
)

const (
	// DefaultIdle is how long a flow of datagrams lasts without any.
	DefaultIdle = time.Minute

	// maxFlows bounds the flows of a port: one more ends that which was silent longest, as
	// in a router that translates addresses.
	maxFlows = 256

	// maxDatagram is the most bytes that a datagram can have.
	maxDatagram = 65535
)

// PacketPort serves one UDP port of a forward: the datagrams of one client are a flow, and
// each flow goes to an endpoint.
type PacketPort struct {
	// Endpoints is where flows go. It may change at any time: a flow whose endpoint is
	// not among them any more begins anew, elsewhere, with the client's next datagram.
	Endpoints *Endpoints
	// Dial begins a flow to an endpoint. Each Write and Read of that is a whole datagram,
	// and neither a Write waits, nor a Read once it is closed.
	Dial func(ctx context.Context, to Endpoint) (io.ReadWriteCloser, error)
	// Hold bounds the wait for an endpoint.
	Hold time.Duration
	// Idle is how long a flow lasts without a datagram.
	Idle time.Duration
	// Opened and Closed, unless nil, are told of each flow.
	Opened func()
	Closed func(Report)
	// Failing is that of Port.
	Failing func(error)
	// Meter, unless nil, counts the bytes of all flows.
	Meter *Meter

	failing failing
	mu      sync.Mutex
	flows   map[netip.AddrPort]*flow // by client
}

// Why flows end that nobody ended.
var (
	errIdle    = errors.New("no datagram for too long")
	errGone    = errors.New("the endpoint is not ready any more")
	errCrowded = errors.New("other flows are more in use")
	errOver    = errors.New("the endpoint has no more")
)

// Serve takes datagrams until ctx ends, and then closes the socket, ends all flows and
// waits for that. It returns an error only if the socket failed.
func (p *PacketPort) Serve(ctx context.Context, conn net.PacketConn) error {
	socket := conn.(*net.UDPConn)
	var open sync.WaitGroup
	defer open.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(errStopped)
	defer closeWith(ctx, socket)()
	p.flows = make(map[netip.AddrPort]*flow)
	buffer := make([]byte, maxDatagram)
	for {
		n, client, err := socket.ReadFromUDPAddrPort(buffer)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			if errors.Is(err, net.ErrClosed) || pause.Sleep(ctx, acceptPause) != nil {
				return fmt.Errorf("receive: %w", err)
			}
			continue
		}
		f := p.flow(client)
		if f == nil {
			ctx, cancel := context.WithCancelCause(ctx)
			f = newFlow(p, client, cancel)
			p.begin(f)
			open.Go(func() { f.run(ctx, socket) })
		}
		f.take(buffer[:n])
	}
}

// flow is the client's flow; nil if it has none, or none that can go on.
func (p *PacketPort) flow(client netip.AddrPort) *flow {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.flows[client]
	if f == nil {
		return nil
	}
	if endpoint := f.endpoint.Load(); endpoint != nil && !p.Endpoints.has(*endpoint) {
		p.end(f, errGone)
		return nil
	}
	return f
}

// begin makes room for a flow that begins.
func (p *PacketPort) begin(f *flow) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.flows) >= maxFlows {
		var silent *flow
		for _, other := range p.flows {
			if silent == nil || other.lastAt().Before(silent.lastAt()) {
				silent = other
			}
		}
		p.end(silent, errCrowded)
	}
	p.flows[f.client] = f
}

// end has a flow end, which takes no more datagrams. Call it with mu held.
func (p *PacketPort) end(f *flow, why error) {
	f.cancel(why)
	if p.flows[f.client] == f {
		delete(p.flows, f.client)
	}
}
