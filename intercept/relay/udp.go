package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	// flowIdle ends a flow without datagrams. It is longer than a session's minute: so it is
	// the session that ends a flow, and no datagram meets one that ends just then.
	flowIdle = 75 * time.Second

	// socketBuffer, in bytes, is what a socket is to hold of datagrams until they are read.
	socketBuffer = 1 << 20
)

// carryDatagrams carries a flow's datagrams between a stream and a socket that is connected,
// until the stream or ctx ends, or none has come for idleAfter.
func carryDatagrams(ctx context.Context, stream io.ReadWriteCloser, socket net.Conn, idleAfter time.Duration) {
	if udp, ok := socket.(*net.UDPConn); ok {
		_ = udp.SetReadBuffer(socketBuffer) // the system's bound, if that is less
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	idle := time.AfterFunc(idleAfter, cancel)
	defer idle.Stop()
	flow := NewDatagrams(stream)
	var carrying sync.WaitGroup
	defer carrying.Wait()
	carrying.Go(func() {
		defer cancel()
		carryEach(socket, flow, func() { idle.Reset(idleAfter) })
	})
	carrying.Go(func() {
		defer cancel()
		carryEach(flow, socket, func() { idle.Reset(idleAfter) })
	})
	<-ctx.Done()
	_ = flow.Close() // of what is left
	socket.Close()
}

// carryEach carries datagram after datagram, calling each for it, until one end is closed.
// That the one before was refused is no end: somebody may listen there later.
func carryEach(to io.Writer, from io.Reader, each func()) {
	buffer := datagramBuffers.Get().(*[maxDatagram]byte)
	defer datagramBuffers.Put(buffer)
	for {
		n, err := from.Read(buffer[:])
		if err == nil {
			each()
			if _, err = to.Write(buffer[:n]); err != nil && refusedOne(err) {
				_, err = to.Write(buffer[:n]) // it was the one before that was refused
			}
		}
		if err != nil && !refusedOne(err) {
			return
		}
	}
}

// refusedOne reports that it is one datagram that has failed, not the flow.
func refusedOne(err error) bool {
	return slices.ContainsFunc([]error{syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
		syscall.EMSGSIZE, syscall.EPERM}, func(one error) bool { return errors.Is(err, one) })
}

const maxDatagram = 64 << 10 // bytes

var datagramBuffers = sync.Pool{New: func() any { return new([maxDatagram]byte) }}
