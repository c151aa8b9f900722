package gather

import (
	"errors"
	"io"
	"net"
	"os"
	"time"
)

const (
	// flow is how much, in bytes, comes in flowTime at most, and without a pause, until it
	// is gathered.
	flow     = 4 << 20
	flowTime = 200 * time.Millisecond

	// atOnce, in bytes, is what the kernel gathers, and patience for how long it may wait
	// for that. What waits longer is a pause.
	atOnce   = 64 << 10
	patience = 3 * time.Millisecond
)

// Reader reads a connection. One goroutine may use it.
type Reader struct {
	conn      net.Conn
	lowWater  func(bytes int) bool // of conn; nil where there is none
	gathering bool

	came  int       // bytes since began
	began time.Time // after a pause, or flowTime
	last  time.Time // that something came
}

// NewReader reads conn, which stays the caller's.
func NewReader(conn net.Conn) *Reader { return &Reader{conn: conn, lowWater: lowWater(conn)} }

var _ io.Reader = (*Reader)(nil)

func (r *Reader) Read(p []byte) (int, error) {
	if r.gathering {
		_ = r.conn.SetReadDeadline(time.Now().Add(patience)) // the read fails if this does
	}
	n, err := r.conn.Read(p)
	if r.gathering && errors.Is(err, os.ErrDeadlineExceeded) {
		r.stop()
		return r.conn.Read(p)
	}
	if r.lowWater != nil && !r.gathering && r.flows(n) {
		r.gathering = r.lowWater(atOnce)
	}
	return n, err
}

// flows reports whether n bytes more make a connection one in full flow.
func (r *Reader) flows(n int) bool {
	now := time.Now()
	if now.Sub(r.last) > patience || now.Sub(r.began) > flowTime {
		r.came, r.began = 0, now
	}
	r.last = now
	r.came += n
	return r.came >= flow
}

// stop has the kernel tell of all that comes.
func (r *Reader) stop() {
	r.gathering = false
	r.lowWater(1)
	_ = r.conn.SetReadDeadline(time.Time{})
}
