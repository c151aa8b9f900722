package relay

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
)

const (
	// MaxDatagram is the most, in bytes, that a datagram of UDP over IPv4 carries.
	MaxDatagram = 65507

	// datagramQueue, in bytes, is how much waits at most for a stream that does not take it:
	// half a second of 1 MB/s.
	datagramQueue = 512 << 10

	// datagramBuffer, in bytes, is what is read of a stream at a time.
	datagramBuffer = 16 << 10
)

// ErrDatagramTooLong refuses a datagram of more than MaxDatagram bytes.
var ErrDatagramTooLong = errors.New("datagram too long")

// Datagrams carries datagrams over a stream, each behind its length (two bytes, big-endian).
// One goroutine may read while others write.
type Datagrams struct {
	stream io.ReadWriteCloser
	reader *bufio.Reader
	queued chan struct{} // holds a token while something waits
	ended  chan struct{} // closed by Close
	end    func()
	done   chan struct{} // closed once nothing is written any more

	mu      sync.Mutex
	waiting []byte // datagrams, framed
	err     error  // why nothing can be written any more
}

// NewDatagrams carries datagrams over stream, which it owns until it is closed.
func NewDatagrams(stream io.ReadWriteCloser) *Datagrams {
	d := &Datagrams{stream: stream, reader: bufio.NewReaderSize(stream, datagramBuffer), queued: make(chan struct{}, 1),
		ended: make(chan struct{}), done: make(chan struct{})}
	d.end = sync.OnceFunc(func() { close(d.ended) })
	go d.send()
	return d
}

// Read reads one datagram, which may be empty. What p has no room for of it is lost, as with
// a socket. The error is the stream's.
func (d *Datagrams) Read(p []byte) (int, error) {
	var size [2]byte
	if _, err := io.ReadFull(d.reader, size[:]); err != nil {
		return 0, err
	}
	length := int(binary.BigEndian.Uint16(size[:]))
	n := min(length, len(p))
	if _, err := io.ReadFull(d.reader, p[:n]); err != nil {
		return 0, inside(err)
	}
	if _, err := d.reader.Discard(length - n); err != nil {
		return 0, inside(err)
	}
	return n, nil
}

// inside is an error that comes in the middle of a datagram.
func inside(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Write sends one datagram. It never waits: while too much waits for the stream already, the
// datagram is dropped, which is no error. The error is ErrDatagramTooLong, or the stream's,
// or net.ErrClosed.
func (d *Datagrams) Write(p []byte) (int, error) {
	if len(p) > MaxDatagram {
		return 0, ErrDatagramTooLong
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return 0, d.err
	}
	if len(d.waiting)+2+len(p) > datagramQueue {
		return len(p), nil
	}
	d.waiting = append(binary.BigEndian.AppendUint16(d.waiting, uint16(len(p))), p...)
	select {
	case d.queued <- struct{}{}:
	default:
	}
	return len(p), nil
}

// send writes what waits to the stream, all of it at a time, until the end.
func (d *Datagrams) send() {
	defer close(d.done)
	var batch []byte
	for {
		select {
		case <-d.queued:
		case <-d.ended:
			d.fail(net.ErrClosed)
			return
		}
		d.mu.Lock()
		batch, d.waiting = d.waiting, batch[:0]
		d.mu.Unlock()
		if _, err := d.stream.Write(batch); err != nil {
			d.fail(err)
			return
		}
		if cap(batch) > keptBatch {
			batch = nil // after a burst
		}
	}
}

// keptBatch, in bytes, is what a flow keeps of its queue when nothing waits.
const keptBatch = 64 << 10

// fail has later writes fail.
func (d *Datagrams) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err, d.waiting = err, nil
}

// Close closes the stream, drops what waits, and returns once nothing of it runs any more.
func (d *Datagrams) Close() error {
	d.end()
	err := d.stream.Close()
	<-d.done
	return err
}
