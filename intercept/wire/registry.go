package wire

import (
	"context"
	"fmt"

	"github.com/hashicorp/yamux"
)

// Open opens a stream to the far side, which has yet to serve it. It returns
// when ctx ends, even if the transport hangs.
func (s *Link) Open(ctx context.Context, opening Opening) (*Stream, error) {
	type result struct {
		stream *Stream
		err    error
	}
	done := make(chan result)
	if !s.start(func() {
		stream, err := s.open(opening)
		select {
		case done <- result{stream, err}:
		case <-ctx.Done():
			if stream != nil {
				stream.Abort()
			}
		}
	}) {
		return nil, fmt.Errorf("open stream: %w", s.lost())
	}
	select {
	case r := <-done:
		return r.stream, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("open stream: %w", context.Cause(ctx))
	}
}

func (s *Link) open(opening Opening) (*Stream, error) {
	select { // the far side takes the first stream for the control stream
	case <-s.begun:
	case <-s.ended:
		return nil, fmt.Errorf("open stream: %w", s.lost())
	}
	raw, err := s.mux.OpenStream()
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	stream := s.register(raw)
	if err := writeFrame(stream, "", opening); err != nil {
		stream.Abort()
		return nil, fmt.Errorf("open stream: %w", err)
	}
	return stream, nil
}

// admit takes a stream that the far side has opened, unless it has been reset
// meanwhile.
func (s *Link) admit(raw *yamux.Stream) *Stream {
	id := raw.StreamID()
	s.mu.Lock()
	s.accepted.add(id)
	_, reset := s.resetEarly[id]
	delete(s.resetEarly, id)
	s.mu.Unlock()
	if reset {
		raw.Close()
		s.out.post(Message{Type: typeGone, Stream: id})
		return nil
	}
	return s.register(raw)
}

func (s *Link) register(raw *yamux.Stream) *Stream {
	stream := &Stream{raw: raw, link: s, broken: make(chan struct{}), credit: newCredit()}
	s.mu.Lock()
	over := s.streams == nil
	if !over {
		s.streams[raw.StreamID()] = stream
		s.count.Store(int32(len(s.streams)))
	}
	s.mu.Unlock()
	if over {
		stream.fail(s.lost())
	}
	return stream
}

// forget lets go of a stream that both ends are done with.
func (s *Link) forget(stream *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(stream.raw.StreamID())
}

// drop takes a stream off the list. Call it with mu held.
func (s *Link) drop(id uint32) {
	delete(s.streams, id)
	s.count.Store(int32(len(s.streams)))
}

// wasReset breaks off a stream that the far side has reset, and confirms it.
// Only then is its end sent, and the far side sends its own.
func (s *Link) wasReset(id uint32, why string) {
	s.mu.Lock()
	stream := s.streams[id]
	s.drop(id)
	coming := stream == nil && !s.accepted.has(id)
	if coming {
		s.resetEarly[id] = why
	}
	s.mu.Unlock()
	if coming {
		return // admit does the rest
	}
	if stream != nil {
		stream.fail(&ResetError{why})
	}
	s.end(stream, func() { s.out.post(Message{Type: typeGone, Stream: id}) })
}

// confirmed ends a stream that this side has reset.
func (s *Link) confirmed(id uint32) {
	s.mu.Lock()
	stream := s.streams[id]
	s.drop(id)
	s.mu.Unlock()
	s.end(stream, func() {})
}

// end sends a stream's end, and then calls ended. It does not wait: yamux's Close lasts
// until the transport has room, which whoever handles the far side's messages must not, for
// the next may say that a process listens no more, or ask for a sign of life. A nil
// stream has had its end.
func (s *Link) end(stream *Stream, ended func()) {
	if stream == nil {
		ended()
		return
	}
	s.start(func() {
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
func (s *Link) shrink() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stream := range s.streams {
		stream.raw.Shrink()
	}
}
