package relay

import (
	"context"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/duplex"
)

// Relay connects for sessions. Its methods may be called concurrently.
type Relay struct {
	Policy *Policy
	Dial   Dialer
	Log    *slog.Logger

	open  atomic.Int64
	ended atomic.Int64 // when the last has: nanoseconds of the Unix epoch
}

// Open is how many connections and flows there are.
func (r *Relay) Open() int { return int(r.open.Load()) }

// Idle is for how long none has ended.
func (r *Relay) Idle() time.Duration { return time.Since(time.Unix(0, r.ended.Load())) }

// Serve connects to where a stream is to lead, says so, and carries it to its end, or until
// ctx ends. What cannot be reached, or may not be, is refused with the reason.
func (r *Relay) Serve(ctx context.Context, d wire.Dial, stream *wire.Stream) {
	r.open.Add(1)
	defer r.end()
	conn, err := r.connect(ctx, d)
	if err != nil {
		r.Log.Debug("not connected", "to", d, "error", err)
		stream.Refuse(err.Error())
		return
	}
	defer conn.Close()
	if err := stream.Accept(); err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		duplex.CopyLean(ctx, stream, duplex.TCP{TCPConn: tcp})
		return
	}
	carryDatagrams(ctx, stream, conn, flowIdle)
}

func (r *Relay) end() {
	r.ended.Store(time.Now().UnixNano())
	r.open.Add(-1)
}

// connect connects to where a stream is to lead.
func (r *Relay) connect(ctx context.Context, d wire.Dial) (net.Conn, error) {
	addresses, err := r.Policy.Addresses(ctx, d)
	if err != nil {
		return nil, err
	}
	if d.Network == UDP { // who dials learns nothing of whether somebody is there
		addresses = addresses[:1]
	}
	return r.Dial.Any(ctx, d.Network, addresses)
}
