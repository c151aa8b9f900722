// Package duplex carries bytes between two connections: one copying for the whole
// project. It knows neither Kubernetes nor how a connection came about.
//
//	client := duplex.NewRewindable(duplex.TCP{TCPConn: accepted}, limit, false)
//	traffic, ending := duplex.Copy(ctx, client, remote, meter)
//	if refused(ending.Err) && client.Rewind() {
//		… // the next remote hears all that this one did
//	}
//
// Copy carries both directions, each side's end of input as such, a failure as a reset,
// and counts the bytes as they go. A Rewindable keeps what a client says until a far
// side has taken it. Closing the connections stays with the caller.
package duplex

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devtun/devtun/internal/stack"
)

const (
	// smallBuffer and largeBuffer, in bytes, are what a direction reads into: it
	// starts small, so that idle connections cost little, and changes once for
	// good when a read fills it. 256 KiB is where throughput through a
	// port-forward stops to grow: every write becomes a frame of its own.
	smallBuffer = 16 << 10
	largeBuffer = 256 << 10
	leanBuffer  = 32 << 10

	// leanLarge is how many large buffers CopyLean lends at a time: the first in full flow
	// have them, which saves a fifth of the processor, and where there are many they all
	// go slower.
	leanLarge = 32

	// linger bounds how long a client may go on sending to a far side that is
	// wholly gone. Closing at once, with input unread, would make the kernel
	// send a reset and take the end of the answer from the client.
	linger = time.Second

	// endsAfter is how long after its last bytes a far side's end may come.
	endsAfter = 5 * time.Millisecond
)

// Conn is a connection whose directions end separately, and which can be
// ended abruptly.
type Conn interface {
	io.ReadWriter
	// CloseWrite ends the sending direction.
	CloseWrite() error
	// Abort ends both directions at once, the far side told by a reset where
	// the protocol has one. It releases who reads or writes, and it never waits.
	Abort()
	// Close releases the connection after both directions have ended.
	Close() error
}

// Side tells the two ends of a copy apart.
type Side int

const (
	Local  Side = iota // where the connection was accepted
	Remote             // where it was carried to
)

// Ending says how a connection ended: which side ended it, and with what error,
// nil for an orderly end.
type Ending struct {
	By  Side
	Err error
}

// Copy carries bytes between local and remote until both directions have
// ended, each side's end of input passed on as such, or until one fails or ctx
// ends, which aborts both. It returns when nothing of it runs any more; closing
// the connections stays with the caller.
//
// A remote that has a method Over, reporting that its far side has ended both
// directions, releases a local side that still sends. A local that has a method
// Left, reporting that nobody is there any more to be told anything, ends both
// directions with its end of input: what comes later could be given to nobody.
//
// The bytes are counted by meter, unless that is nil, as they go.
func Copy(ctx context.Context, local, remote Conn, meter *Meter) (Traffic, Ending) {
	return copyBoth(ctx, local, remote, meter, borrowLarge)
}

// CopyLean is Copy with few large buffers, for a process that carries many
// connections and must stay small.
func CopyLean(ctx context.Context, local, remote Conn) (Traffic, Ending) {
	return copyBoth(ctx, local, remote, nil, BorrowLean)
}

func copyBoth(ctx context.Context, local, remote Conn, meter *Meter, borrow borrower) (Traffic, Ending) {
	if meter == nil {
		meter = new(Meter)
	}
	var once sync.Once
	var ending Ending
	ended := func(by Side, err error) {
		once.Do(func() { ending = Ending{by, err} })
	}
	abort := func() { local.Abort(); remote.Abort() }
	cancelled := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(cancelled)
		ended(Local, context.Cause(ctx))
		abort()
	})
	defer func() {
		if !stop() { // it has begun, and what it aborts is the caller's again once Copy returns
			<-cancelled
		}
	}()

	var traffic Traffic
	heardAll := make(chan struct{}) // closed once remote has ended its direction
	var up sync.WaitGroup
	up.Go(func() {
		stack.Grow()
		n, readErr, writeErr := transfer(remote, local, &meter.sent, borrow)
		traffic.Sent = n
		switch {
		case readErr != nil:
			ended(Local, readErr)
			abort()
		case writeErr == nil:
			ended(Local, nil)
			if hasLeft(local, heardAll) {
				leave(remote)
			} else {
				remote.CloseWrite()
			}
		case errors.Is(writeErr, ErrFarSideGone): // its answer decides
			_, _ = io.Copy(io.Discard, struct{ io.Reader }{local})
		default:
			ended(Remote, writeErr)
			abort()
		}
	})

	n, readErr, writeErr := transfer(local, remote, &meter.received, borrow)
	traffic.Received = n
	switch {
	case readErr != nil:
		ended(Remote, readErr)
		abort()
	case writeErr != nil:
		ended(Local, writeErr)
		abort()
	default:
		close(heardAll)
		ended(Remote, nil)
		local.CloseWrite()
		defer closeReadLater(local, remote)()
	}
	up.Wait()
	return traffic, ending
}

// hasLeft reports that local wants nothing more of a far side that has more to say, as far
// as is known: one that has heard what it wanted may be gone just before the end of that.
func hasLeft(local Conn, heardAll <-chan struct{}) bool {
	select {
	case <-heardAll:
		return false
	default:
	}
	leaver, ok := local.(interface{ Left() bool })
	if !ok || !leaver.Left() {
		return false
	}
	timer := time.NewTimer(endsAfter)
	defer timer.Stop()
	select {
	case <-heardAll:
		return false
	case <-timer.C:
		return true
	}
}

// leave ends what is said to a far side and aborts the rest, at once if it can.
func leave(remote Conn) {
	if leaver, ok := remote.(interface{ Leave() }); ok {
		leaver.Leave()
		return
	}
	remote.CloseWrite()
	remote.Abort()
}

// closeReadLater releases local's reader after linger, if remote wants no more
// of what it reads. Data that local has yet to be sent is not touched. It returns
// what puts an end to that.
func closeReadLater(local, remote Conn) (stop func()) {
	ender, ok := remote.(interface{ Over() bool })
	reader, can := local.(interface{ CloseRead() error })
	if !ok || !can || !ender.Over() {
		return func() {}
	}
	released := make(chan struct{})
	timer := time.AfterFunc(linger, func() {
		defer close(released)
		_ = reader.CloseRead()
	})
	return func() {
		if !timer.Stop() {
			<-released
		}
	}
}

// ErrFarSideGone is what a write fails with when the far side ended both of its
// directions in good order.
var ErrFarSideGone = errors.New("far side has ended the connection")

// transfer copies one direction to its end, telling a failing source from a
// failing destination. What it returns is this connection's part of count.
func transfer(to io.Writer, from io.Reader, count *atomic.Int64, borrow borrower) (n int64, readErr, writeErr error) {
	if source, ok := from.(lender); ok {
		return pass(to, source, count)
	}
	small := smallBuffers.Get().(*[smallBuffer]byte)
	defer smallBuffers.Put(small)
	buffer := small[:]
	for {
		got, readErr := from.Read(buffer)
		if got > 0 {
			put, err := to.Write(buffer[:got])
			n += int64(put)
			count.Add(int64(put))
			if err != nil {
				return n, nil, err
			}
		}
		if readErr == io.EOF {
			return n, nil, nil
		}
		if readErr != nil {
			return n, readErr, nil
		}
		if got == smallBuffer && len(buffer) == smallBuffer {
			large, giveBack := borrow()
			defer giveBack()
			buffer = large
		}
	}
}

// lender is a source that needs no buffer to be read into: what it has is the caller's until
// the next call. Else it is as Read.
type lender interface{ Lend() ([]byte, error) }

// pass is transfer from a lender.
func pass(to io.Writer, from lender, count *atomic.Int64) (n int64, readErr, writeErr error) {
	var end func() int64
	defer func() {
		if end != nil {
			n += end()
		}
	}()
	for {
		chunk, err := from.Lend()
		if err == io.EOF {
			return n, nil, nil
		}
		if err != nil {
			return n, err, nil
		}
		put, err := to.Write(chunk)
		n += int64(put)
		count.Add(int64(put))
		if err != nil {
			return n, nil, err
		}
		if end == nil && len(chunk) >= inFullFlow {
			end = divert(to, from, count)
		}
	}
}
