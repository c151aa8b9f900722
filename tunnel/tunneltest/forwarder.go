package tunneltest

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// containerdLinger is how long containerd waits for the second direction once the
// first has ended.
const containerdLinger = time.Second

// forwarder moves the bytes of one port-forward connection's streams. It
// stands where containerd's own code stands under cri-streaming.
type forwarder struct {
	pod *Pod

	mu      sync.Mutex
	inputs  map[io.ReadWriteCloser]struct{} // data streams whose input has not ended
	running int                             // calls of PortForward, and copies
	closed  bool
	ended   chan struct{} // closed once closed and nothing is running
}

func newForwarder(pod *Pod) *forwarder {
	return &forwarder{pod: pod, inputs: map[io.ReadWriteCloser]struct{}{}, ended: make(chan struct{})}
}

// PortForward serves one pair of streams. Its error goes to the error stream.
func (f *forwarder) PortForward(_ context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	if !f.enter(stream) {
		return net.ErrClosed
	}
	defer f.leave()
	// Close waits until the stream's reply has been sent. Without it, the reset
	// that follows an error may overtake the reply.
	defer stream.Close()

	server := f.pod.server
	server.count(func(st *Stats) { st.Streams++; st.OpenStreams++ })
	defer server.count(func(st *Stats) { st.OpenStreams-- })

	conn, err := f.pod.dial(port)
	if err != nil {
		return err
	}
	defer conn.Close()
	if !f.pod.open.add(conn) {
		return f.pod.notFound()
	}
	defer f.pod.open.remove(conn)
	err = f.exchange(stream, conn)
	if err == nil || errors.Is(err, net.ErrClosed) {
		return nil // closed by Pod.stop: to containerd, the server's end
	}
	return f.pod.executing(err)
}

// exchange copies both ways: the first direction to end gives the other
// the server's linger. Neither end is told that the other has ended its output, and
// what comes in after the pod's end has closed is left unread.
func (f *forwarder) exchange(stream io.ReadWriteCloser, conn net.Conn) error {
	ended := make(chan error, 2)
	f.spawn(func() {
		_, err := io.Copy(stream, conn)
		ended <- err
	})
	f.spawn(func() {
		_, err := io.Copy(conn, stream)
		if err == nil {
			f.inputEnded(stream)
		}
		ended <- err
	})

	err := <-ended
	linger := f.pod.server.faultsNow().linger
	if linger == 0 {
		linger = containerdLinger
	}
	select {
	case second := <-ended:
		if err == nil {
			err = second
		}
	case <-time.After(linger):
	}
	return err
}

// enter notes a call and its stream, unless the connection has ended.
func (f *forwarder) enter(stream io.ReadWriteCloser) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.inputs[stream] = struct{}{}
	f.running++
	return true
}

func (f *forwarder) spawn(work func()) {
	f.mu.Lock()
	f.running++
	f.mu.Unlock()
	go func() {
		defer f.leave()
		work()
	}()
}

func (f *forwarder) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running--
	if f.closed && f.running == 0 {
		close(f.ended)
	}
}

func (f *forwarder) inputEnded(stream io.ReadWriteCloser) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.inputs, stream)
}

// Close resets the streams whose input has not ended. The library has
// forgotten them by now; whoever reads from one, and whoever holds a frame for
// one that nobody reads, would wait for ever.
func (f *forwarder) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	if f.running == 0 {
		close(f.ended)
	}
	for stream := range f.inputs {
		if s, ok := stream.(interface{ Reset() error }); ok {
			_ = s.Reset()
		}
	}
	return nil
}
