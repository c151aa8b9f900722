package tunnel

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http/httptrace"
	"sync"
	"time"

	"k8s.io/client-go/transport"

	"github.com/devtun/devtun/internal/gather"
)

const (
	// readAheadSize is how many bytes one read takes from an API connection's socket
	// at most: TLS asks for its records, of 16 KiB, one by one.
	readAheadSize = 128 << 10

	// maxKept, in bytes, is the largest buffer that is kept between two writes.
	maxKept = 512 << 10

	// connectTimeout and keepAlive are client-go's own.
	connectTimeout = 30 * time.Second
	keepAlive      = 30 * time.Second
)

// socket is the connection beneath an API connection's TLS, which reads and writes records,
// of 16 KiB at most, one by one. A socket reads ahead, and can keep what is written, to send
// it at once.
type socket struct {
	net.Conn
	reader *bufio.Reader

	mu      sync.Mutex
	held    bool   // what is written is kept
	sending bool   // what was kept is being sent, and what is written meanwhile goes behind it
	kept    []byte // to be sent
	spare   []byte // was sent, and is used again
}

// withSockets has connections made on sockets, whoever dials them.
func withSockets(settings *transport.Config) {
	dial := (&net.Dialer{Timeout: connectTimeout, KeepAlive: keepAlive}).DialContext
	if settings.DialHolder != nil {
		dial = settings.DialHolder.Dial
	}
	settings.DialHolder = &transport.DialHolder{
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &socket{Conn: conn, reader: bufio.NewReaderSize(gather.NewReader(conn), readAheadSize)}, nil
		},
	}
}

func (s *socket) Read(p []byte) (int, error) { return s.reader.Read(p) }

// Write does not wait while something is sent: TLS says goodbye when it is closed, which
// must not depend on a far side that has stopped reading.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	if s.held || s.sending {
		defer s.mu.Unlock()
		s.kept = append(s.kept, p...)
		return len(p), nil
	}
	s.mu.Unlock()
	return s.Conn.Write(p) // TLS writes one record at a time
}

// hold keeps what is written from here on, until flush.
func (s *socket) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = true
}

// flush sends what was kept.
func (s *socket) flush() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held, s.sending = false, true
	for len(s.kept) > 0 && err == nil {
		out := s.kept
		s.kept, s.spare = s.spare, nil
		s.mu.Unlock()
		_, err = s.Conn.Write(out)
		s.mu.Lock()
		if cap(out) <= maxKept {
			s.spare = out[:0]
		}
	}
	s.sending = false
	return err
}

// traceSocket has a request tell of the socket that it gets, if it gets one.
func traceSocket(ctx context.Context, got func(*socket)) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		conn := info.Conn
		if over, ok := conn.(*tls.Conn); ok {
			conn = over.NetConn()
		}
		if s, ok := conn.(*socket); ok {
			got(s)
		}
	}})
}

// batched is an upgraded connection that makes one write to its socket of each of its own.
// One goroutine at a time writes.
type batched struct {
	io.ReadWriteCloser
	socket *socket
}

func (b batched) Write(p []byte) (int, error) {
	b.socket.hold()
	n, err := b.ReadWriteCloser.Write(p)
	if sent := b.socket.flush(); err == nil && sent != nil {
		return 0, sent
	}
	return n, err
}
