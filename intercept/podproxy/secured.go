package podproxy

import (
	"cmp"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"time"

	"github.com/devtun/devtun/intercept/wire"
)

// secured is a connection of which both ends are known, as a link takes it. It ends as the
// network does, both directions at once: the link says itself what has ended well.
type secured struct {
	tls  *tls.Conn
	conn *batched
	end  func() // called once it is closed, or aborted; maybe twice
}

func (s *secured) Read(p []byte) (int, error) { return s.tls.Read(p) }

// Write sends p in one write, whatever number of records it takes.
func (s *secured) Write(p []byte) (int, error) {
	if err := s.Writev([][]byte{p}); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Writev sends parts in one write likewise.
func (s *secured) Writev(parts [][]byte) (err error) {
	s.conn.hold()
	for _, part := range parts {
		if err == nil && len(part) > 0 {
			_, err = s.tls.Write(part)
		}
	}
	return cmp.Or(err, s.conn.flush())
}

var _ wire.Vectored = (*secured)(nil)

func (s *secured) Abort() { _ = s.Close() }

// Close does not say goodbye: nobody listens for that, and it could wait.
func (s *secured) Close() error {
	defer s.end()
	return s.conn.Close()
}

// maxKept, in bytes, is the largest buffer that is kept between two writes.
const maxKept = 512 << 10

// batched is a connection that can keep what is written, to send it at once. TLS makes a
// write of each record, of 16 KiB at most.
type batched struct {
	net.Conn

	mu   sync.Mutex // of all below, and held while it writes
	held bool
	kept []byte
}

func (b *batched) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held {
		b.kept = append(b.kept, p...)
		return len(p), nil
	}
	return b.Conn.Write(p)
}

// hold keeps what is written from here on, until flush.
func (b *batched) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = true
}

func (b *batched) flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = false
	if len(b.kept) == 0 {
		return nil
	}
	_, err := b.Conn.Write(b.kept)
	if b.kept = b.kept[:0]; cap(b.kept) > maxKept {
		b.kept = nil
	}
	return err
}

// stream makes a net.Conn, which TLS wants, of what an upgrade has given. Nothing here uses
// addresses of it, or deadlines.
type stream struct{ io.ReadWriteCloser }

func (stream) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (stream) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (stream) SetDeadline(time.Time) error      { return nil }
func (stream) SetReadDeadline(time.Time) error  { return nil }
func (stream) SetWriteDeadline(time.Time) error { return nil }
