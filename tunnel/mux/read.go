package mux

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// read takes frames from the connection until it ends.
func (c *Connection) read() {
	defer close(c.done)
	for {
		if err := c.readFrame(); err != nil {
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("the far side closed the connection: %w", io.ErrUnexpectedEOF)
			}
			c.end(fmt.Errorf("read frame: %w", err))
			return
		}
	}
}

// readFrame reads and handles one frame.
func (c *Connection) readFrame() error {
	header, err := c.reader.Peek(frameHeader)
	if err != nil {
		return err
	}
	first, flags := binary.BigEndian.Uint32(header), header[4]
	length := int(binary.BigEndian.Uint32(header[4:]) & maxPayload)
	_, _ = c.reader.Discard(frameHeader) // it has been peeked at
	if first&controlBit != 0 {
		return c.readControl(frameKind(first), flags, length)
	}

	stream := c.stream(streamID(first))
	if stream == nil { // reset by us, while this was under way
		_, err := c.reader.Discard(length)
		return err
	}
	if length > 0 {
		chunk := newChunk(length)
		if _, err := io.ReadFull(c.reader, chunk); err != nil {
			return err
		}
		stream.push(chunk)
	}
	if flags&flagFin != 0 {
		stream.finish()
	}
	return nil
}

// readControl reads and handles a control frame, but for its header. Of all that have a
// meaning for a client the payload begins with a number: a stream's, or a ping's. What
// else they have is not needed, the headers of a reply among it.
func (c *Connection) readControl(kind frameKind, flags byte, length int) error {
	var number uint32
	if length >= 4 {
		begin, err := c.reader.Peek(4)
		if err != nil {
			return err
		}
		number = binary.BigEndian.Uint32(begin)
	}
	if _, err := c.reader.Discard(length); err != nil {
		return err
	}
	c.handle(kind, flags, number)
	return nil
}

// handle acts on a control frame. Those without a meaning for a client
// (settings, headers, window updates) are ignored.
func (c *Connection) handle(kind frameKind, flags byte, number uint32) {
	id := streamID(number) & maxStreamID
	switch kind {
	case synReply:
		if stream := c.stream(id); stream != nil {
			c.mu.Lock()
			c.replied(stream)
			c.mu.Unlock()
			stream.accept()
			if flags&flagFin != 0 {
				stream.finish()
			}
		}
	case rstStream:
		if stream := c.stream(id); stream != nil {
			c.remove(stream.id)
			stream.fail(ErrReset)
		}
	case ping:
		c.handlePing(number)
	case goAway:
		c.Retire()
	case synStream: // the far side of a port-forward opens none
		c.sendLast(last{id, true})
	}
}

// handlePing wakes who waits for the answer, or answers the far side's own,
// which has an even identifier.
func (c *Connection) handlePing(id uint32) {
	if id%2 == 0 {
		c.send(func() { _ = c.write(func() error { return c.pong(id) }) })
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ponged(id)
}

// chunks recycles payload buffers of chunkSize bytes, the largest that
// runtimes send (they copy with io.Copy's 32 KiB).
var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

const chunkSize = 32 << 10

// newChunk returns a buffer of n bytes. Small ones are made to measure, so that
// a queue of them holds no more memory than it counts.
func newChunk(n int) []byte {
	if n > chunkSize || n < chunkSize/4 {
		return make([]byte, n)
	}
	return chunks.Get().(*[chunkSize]byte)[:n]
}

// freeChunk takes back a buffer of newChunk. It may be used no more.
func freeChunk(chunk []byte) {
	if cap(chunk) == chunkSize {
		chunks.Put((*[chunkSize]byte)(chunk[:chunkSize]))
	}
}
