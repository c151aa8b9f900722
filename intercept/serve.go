package intercept

import (
	"context"
	"time"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/pause"
)

// serve runs session until it ends, and returns why. If it falls silent for long,
// a second one is tried beside it: the far side of a connection whose network
// has gone may never be heard of again, and this is the quicker way to know. The
// agent gives up the first when it takes the second, which is then returned.
func (l *link) serve(ctx context.Context, session *wire.Session) (*wire.Session, error) {
	heard := make(chan struct{}, 1)
	ended := make(chan error, 1)
	l.attach(session)
	defer l.detach()
	go func() {
		ended <- l.developer(heard).Run(ctx, session)
	}()
	for {
		var stuck <-chan time.Time
		if !session.Present() {
			timer := time.NewTimer(l.of.timing.stuck)
			defer timer.Stop()
			stuck = timer.C
		}
		select {
		case err := <-ended:
			return nil, err
		case <-heard:
		case <-stuck:
			if next := l.connectBeside(ctx, session, heard); next != nil {
				session.Close()
				_ = <-ended // it has been closed
				return next, nil
			}
		}
	}
}

// connectBeside tries to make another session until the first is heard again or ends.
func (l *link) connectBeside(ctx context.Context, first *wire.Session, heard <-chan struct{}) *wire.Session {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	made := make(chan *wire.Session, 1)
	go func() {
		made <- l.keepTrying(ctx)
	}()
	for {
		select {
		case session := <-made:
			return session
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
func (l *link) keepTrying(ctx context.Context) *wire.Session {
	backoff := pause.Backoff{Min: linkMin, Max: linkMax}
	timeout := l.of.timing.attempt / 2 // the pool may know no better than the first's API connection
	for {
		session, err := l.connect(ctx, timeout)
		if session != nil {
			return session
		}
		if final(err) || pause.Until(ctx, l.changed, backoff.Next()) != nil {
			return nil
		}
		timeout = min(2*timeout, attemptMax)
	}
}
