package agent

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/devtun/devtun/internal/pause"
)

const (
	// datagramIdle is how long a client's datagrams are associated with one
	// origin socket after the last.
	datagramIdle = time.Minute

	// maxDatagramClients bounds those sockets, for each port.
	maxDatagramClients = 256

	// datagramQueue is how many datagrams wait for a socket that is being opened.
	datagramQueue = 16

	maxDatagram = 64 << 10 // bytes
)

// passDatagrams passes a UDP port through to the origin, each client by a socket
// of its own, so that answers find back. A port without an origin is deaf.
func (a *Agent) passDatagrams(ctx context.Context, port Port, conn net.PacketConn) {
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	p := &datagrams{agent: a, port: port, conn: conn, clients: make(map[string]chan []byte)}
	defer p.serving.Wait()
	buffer := make([]byte, maxDatagram)
	for {
		n, client, err := conn.ReadFrom(buffer)
		switch {
		case err == nil && port.Origin != "":
			p.pass(ctx, client, append([]byte(nil), buffer[:n]...))
		case err != nil && pause.Sleep(ctx, acceptPause) != nil:
			return
		}
	}
}

// datagrams are a port's clients.
type datagrams struct {
	agent   *Agent
	port    Port
	conn    net.PacketConn
	serving sync.WaitGroup

	mu      sync.Mutex
	clients map[string]chan []byte
}

// pass hands a datagram to the client's goroutine. What there is no room for is
// dropped, as datagrams are.
func (d *datagrams) pass(ctx context.Context, client net.Addr, datagram []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	queue := d.clients[client.String()]
	if queue == nil {
		if len(d.clients) >= maxDatagramClients {
			return
		}
		queue = make(chan []byte, datagramQueue)
		d.clients[client.String()] = queue
		d.serving.Go(func() {
			if err := d.serve(ctx, client, queue); err != nil {
				d.agent.Log.Debug("datagrams dropped", "port", d.port.Port, "error", err)
			}
			d.mu.Lock()
			defer d.mu.Unlock()
			delete(d.clients, client.String())
		})
	}
	select {
	case queue <- datagram:
	default:
	}
}

// serve carries one client's datagrams until there are none for a while.
func (d *datagrams) serve(ctx context.Context, client net.Addr, queue <-chan []byte) error {
	origin, err := d.agent.Dial(ctx, "udp", d.port.Origin)
	if err != nil {
		return err
	}
	var answering sync.WaitGroup
	defer answering.Wait()
	defer origin.Close()
	active := make(chan struct{}, 1)
	answering.Go(func() { d.answer(origin, client, active) })
	idle := time.NewTimer(datagramIdle)
	defer idle.Stop()
	for {
		select {
		case datagram := <-queue:
			_, _ = origin.Write(datagram) // a refusal concerns the one before
			idle.Reset(datagramIdle)
		case <-active:
			idle.Reset(datagramIdle)
		case <-idle.C:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// answer passes the origin's datagrams to the client until origin is closed.
func (d *datagrams) answer(origin net.Conn, client net.Addr, active chan<- struct{}) {
	buffer := make([]byte, maxDatagram)
	for {
		n, err := origin.Read(buffer)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // the origin's port was unreachable
		}
		_, _ = d.conn.WriteTo(buffer[:n], client)
		select {
		case active <- struct{}{}:
		default:
		}
	}
}
