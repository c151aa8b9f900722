package forwards

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/internal/arrival"
	"github.com/devtun/devtun/tunnel"
)

// addressTries bounds how many addresses are tried when a program that is not
// devtun holds a port on the one that the hash gives.
const addressTries = 4

// listener is one local port and where it leads.
type listener struct {
	port      port
	remote    atomic.Int64 // the service's port
	endpoints *tunnel.Endpoints
	opened    socket
	begin     func(context.Context) // serves opened until the context ends, and closes it
	arrivals  *arrival.Waiter

	mu      sync.Mutex              // of all below
	cancel  context.CancelCauseFunc // ends what is served; nil before the first connection
	ended   bool
	stopped sync.WaitGroup
}

// socket is what is listened on: a net.Listener or a net.PacketConn.
type socket io.Closer

// open opens the socket of a port on an address.
func (f *forward) open(ctx context.Context, addr netip.Addr, at number) (socket, error) {
	here := netip.AddrPortFrom(addr, uint16(at.local))
	if at.udp {
		return f.all.machine.ListenPacket(ctx, here)
	}
	return f.all.machine.Listen(ctx, here)
}

// listen opens and serves one port. Before any port stands the address is still
// free to change, away from one on which another program holds the port.
func (f *forward) listen(ctx context.Context, p port) (*listener, error) {
	opened, err := f.open(ctx, f.addr, p.number)
	if errors.Is(err, syscall.EADDRINUSE) && len(f.listeners) == 0 && !f.fixed {
		if elsewhere := f.move(ctx, p.number); elsewhere != nil {
			return f.serve(elsewhere, p), nil
		}
	}
	if err != nil {
		return nil, err
	}
	return f.serve(opened, p), nil
}

// move takes the next address that the hash gives on which a port is free, and
// listens there. It returns nil, and nothing has changed, if there is none.
func (f *forward) move(ctx context.Context, port number) socket {
	machine, leases := f.all.machine, f.all.leases
	for range addressTries - 1 {
		addr, err := leases.Assign(dns.Key(f.all.options.Cluster, f.service))
		if err != nil {
			return nil
		}
		var opened socket
		if err = machine.AddAddress(ctx, addr); err == nil {
			if opened, err = f.open(ctx, addr, port); err == nil {
				f.addr, addr = addr, f.addr
			}
			_ = machine.RemoveAddress(ctx, addr) // devtun clean finds what stays
		}
		defer func() { _ = leases.Release(addr) }() // not before, or it would be assigned again
		if err == nil {
			return opened
		}
	}
	return nil
}

// serve hands the connections, or the datagrams, of a socket to the port's endpoints. There
// are thousands that nobody connects to: what a port takes, it gets with the first connection.
func (f *forward) serve(opened socket, p port) *listener {
	l := &listener{port: p, endpoints: new(tunnel.Endpoints), opened: opened, arrivals: f.all.arrivals}
	l.remote.Store(int64(p.remote))
	l.begin = func(ctx context.Context) { f.run(ctx, l, p.number) }
	if tcp, ok := opened.(net.Listener); !ok || !l.arrivals.Wait(tcp, l.start) {
		l.start()
	}
	return l
}

// run serves a listener until ctx ends.
func (f *forward) run(ctx context.Context, l *listener, at number) {
	var err error
	switch opened := l.opened.(type) {
	case net.PacketConn:
		err = f.packetPort(l, at).Serve(ctx, opened)
	case net.Listener:
		err = f.tcpPort(l, at).Serve(ctx, opened)
	}
	if err != nil {
		f.all.tell(Event{Warning: &WarningEvent{Message: fmt.Sprintf("%s port %s: %v", f.key, at, err)}})
	}
}

func (f *forward) tcpPort(l *listener, at number) *tunnel.Port {
	return &tunnel.Port{
		Endpoints: l.endpoints,
		Dial:      f.all.options.Dial,
		Hold:      f.all.options.Hold,
		Requests:  f.requests(l),
		Opened:    f.opened,
		Closed:    func(report tunnel.Report) { f.ended(at, report) },
		Failing:   func(err error) { f.all.tell(Event{Warning: f.portWarning(at, err)}) },
		Meter:     &f.use.meter,
	}
}

func (f *forward) packetPort(l *listener, at number) *tunnel.PacketPort {
	return &tunnel.PacketPort{
		Endpoints: l.endpoints,
		Dial:      f.all.options.DialPacket,
		Hold:      f.all.options.Hold,
		Idle:      tunnel.DefaultIdle,
		Opened:    f.opened,
		Closed:    func(report tunnel.Report) { f.ended(at, report) },
		Failing:   func(err error) { f.all.tell(Event{Warning: f.portWarning(at, err)}) },
		Meter:     &f.use.meter,
	}
}

// opened notes a connection, or a flow.
func (f *forward) opened() {
	f.use.total.Add(1)
	f.use.open.Add(1)
	if coming := f.all.options.Coming; coming != nil {
		coming()
	}
}

// ended notes that one has ended.
func (f *forward) ended(at number, report tunnel.Report) {
	f.use.open.Add(-1)
	f.all.tell(Event{Connection: &ConnectionEvent{
		Service: f.key, Pod: f.service.Pod, Port: at.local, UDP: at.udp, Report: report,
	}})
}

// start begins to serve, unless the end was faster.
func (l *listener) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || l.cancel != nil {
		return
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	l.cancel = cancel
	l.stopped.Go(func() { l.begin(ctx) })
}

// stop begins the end of the listener, and of its connections, because of why; nil if devtun
// stops.
func (l *listener) stop(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.cancel != nil:
		l.cancel(why)
	case !l.ended:
		l.arrivals.Forget(l.opened.(net.Listener))
		_ = l.opened.Close()
	}
	l.ended = true
}

// close ends the listener as stop does, and waits for it.
func (l *listener) close(why error) {
	l.stop(why)
	l.stopped.Wait()
}
