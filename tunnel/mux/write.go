package mux

import (
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

// writeData sends a data frame of a stream, for which its worker has a slot.
func (c *Connection) writeData(id streamID, data []byte) error {
	return c.write(func() error {
		if err := writeData(c.writer, id, 0, data); err != nil {
			return err
		}
		return c.wrote(c.worker(id), 1)
	})
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
