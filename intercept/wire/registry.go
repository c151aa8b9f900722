package wire

import (
	"context"
	"fmt"

	"github.com/hashicorp/yamux"
)

// Open opens a stream to the far side, which has yet to serve it. It returns
// when ctx ends, even if the transport hangs.
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
	select { // the far side takes the first stream for the control stream
	case <-c.begun:
	case <-c.ended:
		return nil, fmt.Errorf("open stream: %w", c.lost())
	}
	raw, err := c.mux.OpenStream()
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	stream := c.register(raw)
	if err := writeFrame(stream, "", opening); err != nil {
		stream.Abort()
		return nil, fmt.Errorf("open stream: %w", err)
	}
	return stream, nil
}

// admit takes a stream that the far side has opened, unless it has been reset
// meanwhile.
func (c *connection) admit(raw *yamux.Stream) *Stream {
	id := raw.StreamID()
	c.mu.Lock()
	c.accepted.add(id)
	_, reset := c.resetEarly[id]
	delete(c.resetEarly, id)
	c.mu.Unlock()
	if reset {
		raw.Close()
		c.out.post(Message{Type: typeGone, Stream: id})
		return nil
	}
	return c.register(raw)
}

func (c *connection) register(raw *yamux.Stream) *Stream {
	stream := &Stream{raw: raw, conn: c, broken: make(chan struct{}), credit: newCredit()}
	c.mu.Lock()
	over := c.streams == nil
	if !over {
		c.streams[raw.StreamID()] = stream
		c.counted()
	}
	c.mu.Unlock()
	if over {
		stream.fail(c.lost())
	}
	return stream
}

// forget lets go of a stream that both ends are done with.
func (c *connection) forget(stream *Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(stream.raw.StreamID())
}

// drop takes a stream off the list. Call it with mu held.
func (c *connection) drop(id uint32) {
	delete(c.streams, id)
	c.counted()
}

// counted keeps the counts of streams. Call it with mu held.
func (c *connection) counted() {
	now := int32(len(c.streams))
	c.link.count.Add(now - c.count.Swap(now))
}

// wasReset breaks off a stream that the far side has reset, and confirms it.
// Only then is its end sent, and the far side sends its own.
func (c *connection) wasReset(id uint32, why string) {
	c.mu.Lock()
	stream := c.streams[id]
	c.drop(id)
	coming := stream == nil && !c.accepted.has(id)
	if coming {
		c.resetEarly[id] = why
	}
	c.mu.Unlock()
	if coming {
		return // admit does the rest
	}
	if stream != nil {
		stream.fail(&ResetError{why})
	}
	c.end(stream, func() { c.out.post(Message{Type: typeGone, Stream: id}) })
}

// confirmed ends a stream that this side has reset.
func (c *connection) confirmed(id uint32) {
	c.mu.Lock()
	stream := c.streams[id]
	c.drop(id)
	c.mu.Unlock()
	c.end(stream, func() {})
}

// end sends a stream's end, and then calls ended. It does not wait: yamux's Close lasts
// until the transport has room, which whoever handles the far side's messages must not, for
// the next may say that a process listens no more, or ask for a sign of life. A nil
// stream has had its end.
func (c *connection) end(stream *Stream, ended func()) {
	if stream == nil {
		ended()
		return
	}
	c.start(func() {
		stream.raw.Close()
		ended()
	})
}

// acceptedIDs knows which of the far side's streams have been accepted. They come
// nearly in the order of their identifiers.
type acceptedIDs struct {
	floor uint32          // that one and all before it
	above map[uint32]bool // and these
}

// newAcceptedIDs is for streams with odd identifiers, the developer's, or with even.
func newAcceptedIDs(odd bool) acceptedIDs {
	a := acceptedIDs{above: make(map[uint32]bool)}
	if odd {
		a.floor-- // the first is 1
	}
	return a
}

func (a *acceptedIDs) add(id uint32) {
	a.above[id] = true
	for a.above[a.floor+2] {
		a.floor += 2
		delete(a.above, a.floor)
	}
}

// has reports that id was accepted, or that it is none of the far side's.
func (a *acceptedIDs) has(id uint32) bool {
	return (id-a.floor)%2 == 1 || int32(id-a.floor) <= 0 || a.above[id]
}

// shrink gives back the receive buffers that streams have outgrown.
func (c *connection) shrink() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, stream := range c.streams {
		stream.raw.Shrink()
	}
}
