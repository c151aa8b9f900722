package mux

import (
	"fmt"
	"io"
	"net"
	"time"
)

// CloseWrite tells the far side that nothing more comes from here; reading
// goes on.
func (st *Stream) CloseWrite() error {
	if !st.endWriting() {
		return nil
	}
	return st.conn.writeLast(last{st.id, false})
}

// endWriting reports that the end of what this side says is to be sent.
func (st *Stream) endWriting() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.finished {
		return false
	}
	st.finished = true
	st.removeIfOver()
	return true
}

// Reset gives the stream up: reads and writes fail from here on, and the far
// side is told, unless it knows. It never waits.
//
// A reset that overtakes the reply costs the connection its new streams: at the
// far side, spdystream's handleResetFrame then waits for a receiver that does
// not exist, and with it every fifth stream of the connection. So does one after
// the far side's end, of a stream on which something was sent: see MarkUnread.
func (st *Stream) Reset() {
	if st.giveUp() {
		st.conn.sendLast(last{st.id, true})
	}
}

// Leave is CloseWrite and then Reset of streams of one connection, in one write, for
// which it does not wait.
func Leave(streams ...*Stream) {
	var frames []last
	for _, st := range streams {
		if st.endWriting() {
			frames = append(frames, last{st.id, false})
		}
	}
	for _, st := range streams {
		if st.giveUp() {
			frames = append(frames, last{st.id, true})
		}
	}
	if len(frames) > 0 {
		streams[0].conn.sendLast(frames...)
	}
}

// giveUp is Reset, and reports that the far side is to be told.
func (st *Stream) giveUp() bool {
	st.mu.Lock()
	open := st.err == nil || st.err == io.EOF && !st.finished
	wedged := open && (!st.replied || st.bulk || st.sent && st.err == io.EOF)
	st.finished = true
	st.mu.Unlock()
	if wedged {
		st.conn.Retire()
	}
	st.fail(net.ErrClosed)
	return open
}

// FailWrites says that the far side takes nothing more: writes fail with
// net.ErrClosed, one that waits for a slot among them.
func (st *Stream) FailWrites() {
	st.writesFail.Store(true)
	st.conn.wake()
}

// MarkUnread says that the far side has given the stream up. If anything was sent, the
// connection takes no new streams: at the far side, spdystream's handleDataFrame then
// waits for a reader that does not exist, and with it every fifth stream of the
// connection, those to come among them; a reset would wait behind it.
func (st *Stream) MarkUnread() {
	st.mu.Lock()
	sent := st.sent
	st.mu.Unlock()
	if sent {
		st.conn.Retire()
	}
}

// last is an end or a reset of a stream, which waits for no slot.
type last struct {
	id    streamID
	reset bool
}

// writeLast sends ends and resets in one write.
func (c *Connection) writeLast(frames ...last) error {
	c.mu.Lock()
	for _, frame := range frames {
		c.worker(frame.id).acquired++
	}
	c.mu.Unlock()
	return c.write(func() error {
		for _, frame := range frames {
			var err error
			if frame.reset {
				err = writeReset(c.writer, frame.id)
			} else {
				err = writeData(c.writer, frame.id, flagFin, nil)
			}
			if err == nil {
				err = c.wrote(c.worker(frame.id), 1)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// sendLast sends ends and resets without waiting for it. When that cannot be done in
// resetTimeout the connection is closed: its far side no longer reads, and the stream it
// could be waiting for is gone.
func (c *Connection) sendLast(frames ...last) {
	c.send(func() {
		stuck := time.AfterFunc(resetTimeout, func() {
			c.end(fmt.Errorf("reset stream: the far side has not read for %v", resetTimeout))
		})
		defer stuck.Stop()
		_ = c.writeLast(frames...)
	})
}

func resetAll(streams []*Stream) {
	for _, stream := range streams {
		stream.Reset()
	}
}
