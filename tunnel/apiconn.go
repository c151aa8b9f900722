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

	mu   sync.Mutex // of all below, and held while it writes
	held bool
	kept []byte
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
			return &socket{Conn: conn, reader: bufio.NewReaderSize(conn, readAheadSize)}, nil
		},
	}
}

func (s *socket) Read(p []byte) (int, error) { return s.reader.Read(p) }

func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held {
		s.kept = append(s.kept, p...)
		return len(p), nil
	}
	return s.Conn.Write(p)
}

// hold keeps what is written from here on, until flush.
func (s *socket) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = true
}

func (s *socket) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
	if len(s.kept) == 0 {
		return nil
	}
	_, err := s.Conn.Write(s.kept)
	if s.kept = s.kept[:0]; cap(s.kept) > maxKept {
		s.kept = nil
	}
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
