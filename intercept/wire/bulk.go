package wire

// Vectored is what a Transport may do besides: it sends parts in one write, without keeping them.
// It returns when all are sent, or fails. One goroutine at a time calls it, or Write.
type Vectored interface{ Writev(parts [][]byte) error }

const (
	// mostBulk, in bytes, is how much of a stream's leaves at once, in frames of maxWrite.
	mostBulk = 4 * maxWrite

	framesOfBulk = mostBulk / maxWrite
)

// bulk is a stream's data in frames, as it leaves without being copied.
type bulk struct {
	heads [framesOfBulk * headerSize]byte
	parts [2*framesOfBulk + 1][]byte // what goes before, then headers and bodies
}

// frames makes frames of p.
func (b *bulk) frames(stream uint32, p []byte) [][]byte {
	heads, parts := b.heads[:0], b.parts[1:1]
	for len(p) > 0 {
		body := p[:min(len(p), maxWrite)]
		before := len(heads)
		heads = appendDataHeader(heads, stream, len(body))
		parts = append(parts, heads[before:], body)
		p = p[len(body):]
	}
	return parts
}

// sendBulk sends p, of mostBulk bytes at most, as frames of a stream's data: from where it is if
// nobody else writes and the Transport can, which spares a copy and another goroutine. Streams
// come in turn. A lazy one is sent at once.
func (t *transport) sendBulk(stream uint32, p []byte, _ bool) error {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.vectored != nil && !t.writing && t.err == nil {
		t.write(t.bulk.frames(stream, p))
		return t.err
	}
	for len(p) > 0 {
		if err := t.await(writeBuffer); err != nil {
			return err
		}
		n := min(len(p), maxWrite)
		t.pending = append(appendDataHeader(t.pending, stream, n), p[:n]...)
		t.goOn()
		p = p[n:]
	}
	return nil
}

// writeOut writes what was pending, and bulk behind it.
func (t *transport) writeOut(pending []byte, more [][]byte) error {
	if len(more) == 0 {
		_, err := t.conn.Write(pending)
		return err
	}
	t.bulk.parts[0] = pending
	err := t.vectored.Writev(t.bulk.parts[:len(more)+1])
	clear(t.bulk.parts[:]) // they are others'
	return err
}
