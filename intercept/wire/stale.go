package wire

import (
	"context"
	"fmt"
	"time"
)

// settleTimeout bounds the wait for the agent's word on a stream that may be
// stale.
const settleTimeout = 5 * time.Second

// settle makes sure, after a stall of the line, that the agent still wants
// stream. While this machine slept, or the network hung, the agent may have
// given the connection to the origin; the reset that says so comes behind the
// connection's first bytes, which the local process must then never see.
func (s *Session) settle(ctx context.Context, stream *Stream) error {
	stalls := s.line.stalls.Load()
	if s.settled.Load() >= stalls {
		return stream.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if err := s.keepalive.sync(ctx); err != nil {
		stream.Refuse("the agent did not answer")
		return fmt.Errorf("wait for agent: %w", err)
	}
	for {
		known := s.settled.Load()
		if known >= stalls || s.settled.CompareAndSwap(known, stalls) {
			return stream.Err()
		}
	}
}
