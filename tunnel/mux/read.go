package mux

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/moby/spdystream/spdy"
)

// dataHeader is the length of a data frame's header in bytes: a clear control
// bit and 31 bits of stream identifier, 8 bits of flags, 24 bits of length.
const dataHeader = 8

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

// readFrame reads and handles one frame. Data frames, the bulk, are read here
// rather than by the framer, which allocates each payload anew.
func (c *Connection) readFrame() error {
	header, err := c.reader.Peek(dataHeader)
	if err != nil {
		return err
	}
	if control := header[0]&0x80 != 0; control {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return err
		}
		c.handle(frame)
		return nil
	}
	id := spdy.StreamId(binary.BigEndian.Uint32(header))
	flags := spdy.DataFlags(header[4])
	length := int(binary.BigEndian.Uint32(header[4:]) & 0xffffff)
	_, _ = c.reader.Discard(dataHeader) // it has been peeked at

	stream := c.stream(id)
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
	if flags&spdy.DataFlagFin != 0 {
		stream.finish()
	}
	return nil
}

// handle acts on a control frame. Those without a meaning for a client
// (settings, headers, window updates) are ignored.
func (c *Connection) handle(frame spdy.Frame) {
	switch frame := frame.(type) {
	case *spdy.SynReplyFrame:
		if stream := c.stream(frame.StreamId); stream != nil {
			stream.accept()
			if frame.CFHeader.Flags&spdy.ControlFlagFin != 0 {
				stream.finish()
			}
		}
	case *spdy.RstStreamFrame:
		if stream := c.stream(frame.StreamId); stream != nil {
			c.remove(stream.id)
			stream.fail(ErrReset)
		}
	case *spdy.PingFrame:
		c.handlePing(frame)
	case *spdy.GoAwayFrame:
		c.Retire()
	case *spdy.SynStreamFrame: // the far side of a port-forward opens none
		c.sendReset(frame.StreamId)
	}
}

// handlePing wakes who waits for the answer, or answers the far side's own,
// which has an even identifier.
func (c *Connection) handlePing(frame *spdy.PingFrame) {
	if frame.Id%2 == 0 {
		c.send(func() { _ = c.write(func() error { return c.pong(frame) }) })
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ponged(frame.Id)
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
