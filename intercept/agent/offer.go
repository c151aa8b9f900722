package agent

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/devtun/devtun/intercept/wire"
)

var errTooLong = errors.New("the developer's side has not taken the connection in time")

// offer is a client's connection on its way to the developer. Its first Read waits for
// the local process to take it.
type offer struct {
	*wire.Stream
	from  *developer
	timer *time.Timer
	taken chan struct{}

	mu  sync.Mutex
	err error // why it was given up
}

// offer opens a stream for a client's connection to a port.
func (d *developer) offer(ctx context.Context, port int, client *client) (*offer, error) {
	timeout := d.takeTimeout + min(2*d.link.RoundTrip(), maxRoundTrips)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTooLong)
	defer cancel()
	ctx, giveUp := context.WithCancelCause(ctx)
	defer d.opens(&giveUp)()
	if !d.link.Present() {
		return nil, errAway
	}
	stream, err := d.link.Open(ctx, wire.Opening{
		Kind:   wire.KindConnection,
		Port:   port,
		Client: client.RemoteAddr().String(),
	})
	if err != nil {
		return nil, err
	}
	o := &offer{Stream: stream, from: d, taken: make(chan struct{})}
	o.timer = time.AfterFunc(timeout, func() { o.giveUp(errTooLong) })
	d.mu.Lock()
	defer d.mu.Unlock()
	d.offers[o] = true
	if ctx.Err() != nil {
		o.giveUp(context.Cause(ctx)) // which its reader finds
	}
	return o, nil
}

// opens notes how to give up an offer for which a stream is being opened, which a link
// that hangs may hold up.
func (d *developer) opens(giveUp *context.CancelCauseFunc) (opened func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opening[giveUp] = true
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.opening, giveUp)
		(*giveUp)(nil)
	}
}

// Taken is closed once the local process has the connection.
func (o *offer) Taken() <-chan struct{} { return o.taken }

func (o *offer) isTaken() bool {
	select {
	case <-o.taken:
		return true
	default:
		return false
	}
}

// giveUp ends an offer that has not been taken.
func (o *offer) giveUp(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil && !o.isTaken() {
		o.err = err
		o.Abort()
	}
}

// Read is called by one goroutine, as Lend.
func (o *offer) Read(p []byte) (int, error) {
	if err := o.await(); err != nil {
		return 0, err
	}
	return o.Stream.Read(p)
}

func (o *offer) Lend() ([]byte, error) {
	if err := o.await(); err != nil {
		return nil, err
	}
	return o.Stream.Lend()
}

// await waits until the offer is taken, or given up.
func (o *offer) await() error {
	if o.isTaken() {
		return nil
	}
	err := o.Accepted(context.Background()) // giveUp bounds it
	o.settle()
	o.mu.Lock()
	defer o.mu.Unlock()
	if err = cmp.Or(o.err, err); err != nil {
		o.from.log.Debug("developer did not take connection", "error", err)
		return err
	}
	o.from.counts.developer()
	close(o.taken)
	return nil
}

// settle: there is nothing more to be taken back.
func (o *offer) settle() {
	o.timer.Stop()
	o.from.mu.Lock()
	defer o.from.mu.Unlock()
	delete(o.from.offers, o)
}

// Write is given up with the offer, even if the transport hangs: the client must not hang
// with it.
func (o *offer) Write(p []byte) (int, error) {
	if o.isTaken() {
		return o.Stream.Write(p)
	}
	return o.TryWrite(p)
}

func (o *offer) CloseWrite() error {
	if o.isTaken() {
		return o.Stream.CloseWrite()
	}
	return o.TryCloseWrite()
}

func (o *offer) Close() error {
	o.settle()
	return o.Stream.Close()
}
