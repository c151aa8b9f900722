package wire

import (
	"context"
	"fmt"

	"github.com/hashicorp/yamux"
)

// Open opens a stream to the far side, which has yet to serve it. It returns
// when ctx ends, even if the transport hangs. The opening leaves with what is written
// first, if that comes at once.
func (l *Link) Open(ctx context.Context, opening Opening) (*Stream, error) {
	if l.Err() != nil {
		return nil, fmt.Errorf("open stream: %w", l.lost())
	}
	for {
		c := l.pick()
		stream, err := c.openWithin(ctx, opening)
		if err == nil || c == l.first || !c.over() {
			return stream, err
		}
	}
}

// openWithin opens a stream before ctx ends.
func (c *connection) openWithin(ctx context.Context, opening Opening) (*Stream, error) {
	select { // the far side takes the first stream for the control stream
	case <-c.begun:
	case <-c.ended:
		return nil, fmt.Errorf("open stream: %w", c.lost())
	case <-ctx.Done():
		return nil, fmt.Errorf("open stream: %w", context.Cause(ctx))
	}
	if c.count.Load() < backlog/2 {
		return c.open(opening) // yamux does not wait
	}
	type result struct {
		stream *Stream
		err    error
	}
	done := make(chan result)
	if !c.start(func() {
		stream, err := c.open(opening)
		select {
		case done <- result{stream, err}:
		case <-ctx.Done():
			if stream != nil {
				stream.Abort()
			}
		}
	}) {
		return nil, fmt.Errorf("open stream: %w", c.lost())
	}
	select {
	case r := <-done:
		return r.stream, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("open stream: %w", context.Cause(ctx))
	}
}

func (c *connection) open(opening Opening) (*Stream, error) {
	raw, err := c.mux.OpenStream()
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	stream := c.attach(raw)
	if stream == nil {
		return nil, fmt.Errorf("open stream: %w", c.lost())
	}
	if err := writeFrame(lazily{stream}, "", opening); err != nil {
		stream.Abort()
		return nil, fmt.Errorf("open stream: %w", err)
	}
	return stream, nil
}

// opened makes the Stream that yamux is about to tell of, from either side.
func (c *connection) opened(id uint32) {
	stream := &Stream{id: id, conn: c, broken: make(chan struct{}), credit: newCredit()}
	stream.inbox.init()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams != nil && c.streams[id] == nil { // which yamux does not take twice
		c.streams[id] = stream
		c.counted()
	}
}

// attach finds the Stream of one of yamux's. It returns nil if that has been reset, or the
// connection has ended.
func (c *connection) attach(raw *yamux.Stream) *Stream {
	c.mu.Lock()
	stream := c.streams[raw.StreamID()]
	if stream != nil {
		stream.raw = raw
	}
	reset := stream != nil && stream.Err() != nil
	if reset {
		c.drop(stream.id)
	}
	c.mu.Unlock()
	switch {
	case reset:
		raw.Close()
		c.out.post(Message{Type: typeGone, Stream: stream.id})
		return nil
	case stream == nil:
		raw.Close()
	}
	return stream
}

// stream finds one by its identifier.
func (c *connection) stream(id uint32) *Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams[id]
}

// arriving is whose data comes.
func (c *connection) arriving(id uint32) *Stream { return c.stream(id) }

// endOf notes the end of a stream's incoming direction.
func (c *connection) endOf(id uint32) {
	if stream := c.stream(id); stream != nil {
		stream.inbox.end()
	}
}

// endMayLinger reports that a client is at this side, and that the server has ended its
// direction already: it waits for nothing.
func (c *connection) endMayLinger(id uint32) bool {
	openedHere := id%2 == 1 == c.link.developer // as yamux counts
	stream := c.stream(id)
	return openedHere && stream != nil && stream.inbox.hasEnded()
}

// refused forgets a stream that yamux has not taken, at either end.
func (c *connection) refused(id uint32) {
	c.mu.Lock()
	stream := c.streams[id]
	c.drop(id)
	c.mu.Unlock()
	if stream != nil {
		stream.fail(&ResetError{"too many connections at once"})
	}
}

// forget lets go of a stream that both ends are done with.
func (c *connection) forget(stream *Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(stream.id)
}

// drop takes a stream off the list. Call it with mu held.
func (c *connection) drop(id uint32) {
	delete(c.streams, id)
	c.counted()
}

// counted keeps the counts of streams. Call it with mu held.
func (c *connection) counted() {
	now := int32(len(c.streams))
	more := now - c.count.Swap(now)
	c.link.count.Add(more)
	if more < 0 {
		c.gone.Add(-more)
	}
}

// wasReset breaks off a stream that the far side has reset, and confirms it.
// Only then is its end sent, and the far side sends its own.
func (c *connection) wasReset(id uint32, why string) {
	c.mu.Lock()
	stream := c.streams[id]
	if stream != nil {
		stream.fail(&ResetError{why})
		if stream.raw == nil {
			c.mu.Unlock()
			return // attach does the rest
		}
	}
	c.drop(id)
	c.mu.Unlock()
	if stream != nil {
		stream.raw.Close()
	}
	c.out.post(Message{Type: typeGone, Stream: id})
}

// confirmed ends a stream that this side has reset.
func (c *connection) confirmed(id uint32) {
	c.mu.Lock()
	stream := c.streams[id]
	c.drop(id)
	c.mu.Unlock()
	if stream != nil {
		stream.raw.Close()
	}
}
