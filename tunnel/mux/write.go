package mux

import (
	"fmt"
	"time"

	"github.com/moby/spdystream/spdy"
)

// send runs f in a goroutine that Close waits for. It reports false, and does
// not run f, when the session has ended.
func (s *Session) send(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false
	}
	s.senders.Go(f)
	return true
}

// writeFrame sends one frame of a stream, for which its worker has a slot.
func (s *Session) writeFrame(id spdy.StreamId, frame spdy.Frame) error {
	return s.write(func() error {
		if err := s.framer.WriteFrame(frame); err != nil {
			return err
		}
		return s.wrote(s.worker(id), 1)
	})
}

// writeEnd sends an end or a reset, which wait for no slot.
func (s *Session) writeEnd(id spdy.StreamId, frame spdy.Frame) error {
	s.mu.Lock()
	s.worker(id).acquired++
	s.mu.Unlock()
	return s.writeFrame(id, frame)
}

// write runs frames, which writes frames, when it is its turn. The last in the
// queue flushes for all before it. Any error but ErrGoingAway ends the session,
// because part of a frame may have left; so who has nobody to tell ignores it.
func (s *Session) write(frames func() error) error {
	s.queued.Add(1)
	select {
	case <-s.turn:
	case <-s.ending:
		s.queued.Add(-1)
		return s.Err()
	}
	defer func() { s.turn <- struct{}{} }()
	last := s.queued.Add(-1) == 0

	s.writing.Store(time.Now().UnixNano())
	err := frames()
	if last || err != nil {
		if flushErr := s.writer.Flush(); err == nil || err == ErrGoingAway && flushErr != nil {
			err = flushErr
		}
	}
	s.writing.Store(0)

	if err != nil && err != ErrGoingAway {
		s.end(fmt.Errorf("write frame: %w", err))
		return s.Err()
	}
	return err
}

// sendReset tells the far side that a stream is over, without waiting for it.
// When that cannot be said in resetTimeout the session is closed: its far side
// no longer reads, and the stream it could be waiting for is gone.
func (s *Session) sendReset(id spdy.StreamId) {
	s.send(func() {
		stuck := time.AfterFunc(resetTimeout, func() {
			s.end(fmt.Errorf("reset stream: the far side has not read for %v", resetTimeout))
		})
		defer stuck.Stop()
		_ = s.writeEnd(id, &spdy.RstStreamFrame{StreamId: id, Status: spdy.Cancel})
	})
}

func resetAll(streams []*Stream) {
	for _, stream := range streams {
		stream.Reset()
	}
}
