package intercept

import (
	"context"
	"sync"

	"github.com/devtun/devtun/intercept/wire"
)

// copy gives a copy of a request to the local process for the agent's port.
func (l *agentLink) copy(ctx context.Context, port int, stream *wire.Stream) error {
	return l.of.copies.Serve(ctx, port, stream)
}

// tap has the agent tell of requests over link, if that is wanted, until the link ends or
// stop is called, which waits for the last call.
func (l *agentLink) tap(ctx context.Context, link *wire.Link) (stop func()) {
	c := l.of.config
	if c.Tap == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var tapping sync.WaitGroup
	tapping.Go(func() {
		err := link.Tap(ctx, *c.Tap, func(r wire.Record) { c.Request(l.pod.Name, r) })
		if err != nil && link.Err() == nil {
			l.of.tell(Event{Progress: &ProgressEvent{Message: "agent " + l.pod.Name + " tells of no requests: " +
				err.Error()}})
		}
	})
	return func() {
		cancel()
		tapping.Wait()
	}
}
