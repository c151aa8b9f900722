package intercept

import (
	"context"
	"time"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/internal/pause"
)

// serve runs link until it ends, and returns why. If it falls silent for long,
// a second one is tried beside it: the far side of a connection whose network
// has gone may never be heard of again, and this is the quicker way to know. The
// agent gives up the first when the second, which is then returned, is run.
func (l *agentLink) serve(ctx context.Context, link *wire.Link) (*wire.Link, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	heard := make(chan struct{}, 1)
	ended := make(chan error, 1)
	l.attach(link)
	defer l.detach()
	defer l.tap(ctx, link)()
	defer l.goByProxy(ctx, link, fail)()
	go func() {
		ended <- l.developer(heard).Run(ctx, link)
	}()
	for {
		var stuck <-chan time.Time
		if !link.Present() {
			timer := time.NewTimer(l.of.timing.stuck)
			defer timer.Stop()
			stuck = timer.C
		}
		select {
		case err := <-ended:
			return nil, err
		case <-heard:
		case <-stuck:
			if next := l.connectBeside(ctx, link, heard); next != nil {
				link.Close()
				return next, <-ended
			}
		}
	}
}

// connectBeside tries to make another link until the first is heard again, which is then kept
// with all that goes by it, or ends.
func (l *agentLink) connectBeside(ctx context.Context, first *wire.Link, heard <-chan struct{}) *wire.Link {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silent := first.LastHeard()
	made := make(chan *wire.Link, 1)
	go func() {
		made <- l.keepTrying(ctx)
	}()
	for {
		select {
		case link := <-made:
			if link != nil && first.Err() == nil && first.LastHeard().After(silent) {
				link.Drop()
				return nil
			}
			return link
		case <-heard:
			if first.Present() {
				cancel()
			}
		case <-first.Ended():
			cancel()
			return <-made
		}
	}
}

// keepTrying tries to connect until ctx ends, or there is no use; it returns nil then.
func (l *agentLink) keepTrying(ctx context.Context) *wire.Link {
	backoff := pause.Backoff{Min: linkMin, Max: linkMax}
	timeout := l.of.timing.attempt / 2 // the pool may know no better than the first's API connection
	for {
		link, err := l.connect(ctx, timeout)
		if link != nil {
			return link
		}
		if final(err) || pause.Until(ctx, l.changed, backoff.Next()) != nil {
			return nil
		}
		timeout = min(2*timeout, attemptMax)
	}
}
