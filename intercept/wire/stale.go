package wire

import (
	"context"
	"fmt"
	"time"
)

// staleTimeout bounds the wait for the agent's word on a stream that may be
// stale.
const staleTimeout = 5 * time.Second

// checkStale makes sure, after a stall of the transport, that the agent still wants
// stream. While this machine slept, or the network hung, the agent may have
// given the connection to the origin; the reset that says so comes behind the
// connection's first bytes, which the local process must then never see.
func (c *connection) checkStale(ctx context.Context, stream *Stream) error {
	stalls := c.transport.stalls.Load()
	if c.checkedStalls.Load() >= stalls && !c.link.first.transport.isStalled() {
		return stream.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, staleTimeout)
	defer cancel()
	if err := c.keepalive.sync(ctx); err != nil {
		stream.Refuse("the agent did not answer")
		return fmt.Errorf("wait for agent: %w", err)
	}
	for {
		known := c.checkedStalls.Load()
		if known >= stalls || c.checkedStalls.CompareAndSwap(known, stalls) {
			return stream.Err()
		}
	}
}
