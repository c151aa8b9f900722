package tunnel

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devtun/devtun/internal/pause"
	"github.com/devtun/devtun/tunnel/duplex"
)

const (
	// waitingDatagrams and waitingBytes bound what of a client's waits for the endpoint;
	// what is more is dropped, as datagrams are.
	waitingDatagrams = 256
	waitingBytes     = 512 << 10
)

// flow is the datagrams of one client, and those that are its answers.
type flow struct {
	port   *PacketPort
	client netip.AddrPort
	cancel context.CancelCauseFunc // ends run

	began    time.Time
	last     atomic.Int64             // when the last datagram came or went, after began
	endpoint atomic.Pointer[Endpoint] // nil until it is chosen
	queue    chan []byte
	waiting  atomic.Int64 // bytes in the queue
	traffic  Meter
}

func newFlow(port *PacketPort, client netip.AddrPort, cancel context.CancelCauseFunc) *flow {
	return &flow{
		port: port, client: client, cancel: cancel, began: time.Now(), queue: make(chan []byte, waitingDatagrams),
	}
}

// lastAt is when the last datagram came or went.
func (f *flow) lastAt() time.Time { return f.began.Add(time.Duration(f.last.Load())) }

// now notes that one does.
func (f *flow) now() { f.last.Store(int64(time.Since(f.began))) }

// take has a datagram of the client's sent, or drops it.
func (f *flow) take(datagram []byte) {
	f.now()
	if f.waiting.Load()+int64(len(datagram)) > waitingBytes {
		return
	}
	select {
	case f.queue <- append([]byte{}, datagram...):
		f.waiting.Add(int64(len(datagram)))
	default:
	}
}

// run carries the flow to its end.
func (f *flow) run(ctx context.Context, socket *net.UDPConn) {
	p := f.port
	if p.Opened != nil {
		p.Opened()
	}
	report := Report{Client: f.client.String()}
	err := f.carry(ctx, socket, &report)
	f.end(err)
	report.Traffic, report.Duration = f.traffic.Traffic(), time.Duration(f.last.Load())
	report.Reason, report.Err = describe(duplex.Ending{By: duplex.Remote, Err: err})
	if p.Closed != nil {
		p.Closed(report)
	}
}

// carry finds an endpoint, and carries datagrams there and back.
func (f *flow) carry(ctx context.Context, socket *net.UDPConn, report *Report) error {
	conn, err := f.dial(ctx, &report.Endpoint)
	if err != nil {
		f.port.failing.notTaken(ctx, f.port.Failing, report.Endpoint, err)
		return err
	}
	closed := sync.OnceFunc(func() { conn.Close() })
	var answering sync.WaitGroup
	defer answering.Wait()
	defer closed()
	defer context.AfterFunc(ctx, closed)()
	heard := f.port.failing.watchTaken(f.port.Failing)
	answering.Go(func() { f.answer(conn, socket, heard) })
	return f.send(ctx, conn, report.Endpoint)
}

// end has the client's next datagram begin a flow anew, even if what is left of this one takes
// its time.
func (f *flow) end(why error) {
	f.port.mu.Lock()
	defer f.port.mu.Unlock()
	f.port.end(f, why)
}

// dial begins the flow at an endpoint, which it notes.
func (f *flow) dial(ctx context.Context, at *Endpoint) (io.ReadWriteCloser, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, f.port.Hold, errHeld)
	defer cancel()
	search := newSearch(pause.Until)
	for {
		endpoint, err := search.next(ctx, f.port.Endpoints)
		if err != nil {
			return nil, err
		}
		*at = endpoint
		conn, err := f.port.Dial(ctx, endpoint)
		if err == nil {
			f.endpoint.Store(&endpoint)
			return conn, nil
		}
		search.failed(endpoint, err)
	}
}

// send passes the client's datagrams on until the flow ends, and says why.
func (f *flow) send(ctx context.Context, conn io.Writer, to Endpoint) error {
	idle := time.NewTimer(f.port.Idle)
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			err := context.Cause(ctx)
			if refused(err) {
				f.port.failing.notTaken(context.WithoutCancel(ctx), f.port.Failing, to, err)
			}
			return err
		case <-idle.C:
			silent := time.Since(f.lastAt())
			if silent >= f.port.Idle {
				return errIdle
			}
			idle.Reset(f.port.Idle - silent)
		case datagram := <-f.queue:
			f.waiting.Add(-int64(len(datagram)))
			if _, err := conn.Write(datagram); err != nil {
				f.end(err) // unless it has ended before, which says more
				continue
			}
			f.count(Traffic{Sent: int64(len(datagram))})
		}
	}
}

// answer passes datagrams back until the endpoint has no more, which ends the flow.
func (f *flow) answer(conn io.Reader, socket *net.UDPConn, heard func()) {
	buffer := datagrams.Get().(*[maxDatagram]byte)
	defer datagrams.Put(buffer)
	for {
		n, err := conn.Read(buffer[:])
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errOver
			}
			f.end(err)
			return
		}
		heard()
		f.now()
		if _, err := socket.WriteToUDPAddrPort(buffer[:n], f.client); err == nil {
			f.count(Traffic{Received: int64(n)})
		}
	}
}

var datagrams = sync.Pool{New: func() any { return new([maxDatagram]byte) }}

func (f *flow) count(more Traffic) {
	f.traffic.Add(more)
	if f.port.Meter != nil {
		f.port.Meter.Add(more)
	}
}
