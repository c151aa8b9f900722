package mux

import (
	"bufio"
	"fmt"
	"time"
)

// send runs f in a goroutine that Close waits for. It reports false, and does
// not run f, when the connection has ended.
func (c *Connection) send(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return false
	}
	c.senders.Go(f)
	return true
}

// writeFrame sends one frame of a stream, for which its worker has a slot.
func (c *Connection) writeFrame(id streamID, frame func(*bufio.Writer) error) error {
	return c.write(func() error {
		if err := frame(c.writer); err != nil {
			return err
		}
		return c.wrote(c.worker(id), 1)
	})
}

// writeEnd sends an end or a reset, which wait for no slot.
func (c *Connection) writeEnd(id streamID, frame func(*bufio.Writer) error) error {
	c.mu.Lock()
	c.worker(id).acquired++
	c.mu.Unlock()
	return c.writeFrame(id, frame)
}

// write runs frames, which writes frames, when it is its turn. The last in the
// queue flushes for all before it. Any error but ErrGoingAway ends the connection,
// because part of a frame may have left; so who has nobody to tell ignores it.
func (c *Connection) write(frames func() error) error {
	c.queued.Add(1)
	select {
	case <-c.turn:
	case <-c.ending:
		c.queued.Add(-1)
		return c.Err()
	}
	defer func() { c.turn <- struct{}{} }()
	last := c.queued.Add(-1) == 0

	c.writing.Store(time.Now().UnixNano())
	err := frames()
	if last || err != nil {
		if flushErr := c.writer.Flush(); err == nil || err == ErrGoingAway && flushErr != nil {
			err = flushErr
		}
	}
	c.writing.Store(0)

	if err != nil && err != ErrGoingAway {
		c.end(fmt.Errorf("write frame: %w", err))
		return c.Err()
	}
	return err
}

// sendReset tells the far side that a stream is over, without waiting for it.
// When that cannot be said in resetTimeout the connection is closed: its far side
// no longer reads, and the stream it could be waiting for is gone.
func (c *Connection) sendReset(id streamID) {
	c.send(func() {
		stuck := time.AfterFunc(resetTimeout, func() {
			c.end(fmt.Errorf("reset stream: the far side has not read for %v", resetTimeout))
		})
		defer stuck.Stop()
		_ = c.writeEnd(id, func(w *bufio.Writer) error { return writeReset(w, id) })
	})
}

func resetAll(streams []*Stream) {
	for _, stream := range streams {
		stream.Reset()
	}
}
