package relay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/internal/broadcast"
	"github.com/devtun/devtun/internal/pause"
)

const (
	// againMin and againMax bound the pause before a relay that has failed is tried again. It
	// begins anew after one that stood for stable.
	againMin = time.Second
	againMax = 30 * time.Second
	stable   = time.Minute
)

// relay is a namespace's.
type relay struct {
	of        *Relays
	namespace string
	agents    atomic.Pointer[intercept.Intercept] // while they are there
	wanted    chan struct{}                       // holds a token when somebody wants it who does not get it
	counts    counts
	awaited   atomic.Int32 // by so many who are told why they do not get it

	changed broadcast.Signal // of the agents or of failed
	mu      sync.Mutex
	failed  error // why the last attempt to have it has failed; nil while it is tried
}

// run has it stand until ctx ends. What has failed before it ever stood is tried again when it
// is wanted: nobody may have changed what was in the way.
func (r *relay) run(ctx context.Context) {
	backoff := pause.Backoff{Min: againMin, Max: againMax}
	for {
		r.fail(nil)
		serving := r.of.config.Agents.await(ctx, r.namespace, r.reach())
		if ctx.Err() != nil {
			return
		}
		if serving != nil {
			r.serve(ctx, serving)
			continue
		}
		began := time.Now()
		stood, err := r.stand(ctx)
		if ctx.Err() != nil {
			return
		}
		if stood && time.Since(began) > stable {
			backoff.Reset()
		}
		switch {
		case stood:
			r.tell(forwards.RelayEvent{State: forwards.RelayLost, Message: err.Error()})
		case r.awaited.Load() == 0:
			r.tell(forwards.RelayEvent{State: forwards.RelayFailed, Message: err.Error()})
		}
		r.fail(err)
		if pause.Sleep(ctx, backoff.Next()) != nil {
			return
		}
		if !stood && pause.Until(ctx, r.wanted, pause.Forever) != nil {
			return
		}
	}
}

// serve has the agents of an intercept be the relay's, as long as they are lent and ctx lasts.
func (r *relay) serve(ctx context.Context, by *lent) {
	r.tell(forwards.RelayEvent{State: forwards.RelayStanding, Count: r.counts.read, Pods: by.agents.Connected,
		Message: "the agents of the intercept serve as it"})
	r.set(by.agents)
	defer r.set(nil)
	select {
	case <-by.over:
		r.tell(forwards.RelayEvent{State: forwards.RelayLost,
			Message: "the intercept has ended whose agents served as it"})
	case <-ctx.Done():
	}
}

// reach are the targets that its claim lists.
func (r *relay) reach() []string {
	if r.namespace != r.of.config.Namespace {
		return nil
	}
	return r.of.config.Reach
}

func (r *relay) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = err
	r.changed.Notify()
}

func (r *relay) tell(e forwards.RelayEvent) {
	e.Namespace = r.namespace
	r.of.config.Tell(forwards.Event{Relay: &e})
}

// set has agents be the relay's, or none.
func (r *relay) set(agents *intercept.Intercept) {
	r.agents.Store(agents)
	r.changed.Notify()
}

// await is stands, for who tells the user of the error.
func (r *relay) await(ctx context.Context) error {
	r.awaited.Add(1)
	defer r.awaited.Add(-1)
	return r.stands(ctx)
}

// stands waits until the relay can be used, and fails if the attempt to have it does.
func (r *relay) stands(ctx context.Context) error {
	for {
		changed := r.changed.Wait()
		var links <-chan struct{}
		if agents := r.agents.Load(); agents != nil {
			links = agents.Changed()
			if agents.Linked() {
				return nil
			}
		}
		r.mu.Lock()
		failed := r.failed
		r.mu.Unlock()
		if failed != nil {
			r.want()
			return failed
		}
		select {
		case <-changed:
		case <-links:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.of.ctx.Done():
			return errClosed
		}
	}
}

// errClosed is what waiting for a relay fails with at the session's end.
var errClosed = errors.New("devtun is ending")

// want has it tried again.
func (r *relay) want() {
	select {
	case r.wanted <- struct{}{}:
	default:
	}
}

// open opens a stream to one of its pods, which it waits for.
func (r *relay) open(ctx context.Context, opening wire.Opening) (*wire.Stream, error) {
	for {
		stream, err := r.tryToOpen(ctx, opening)
		if !errors.Is(err, intercept.ErrUnlinked) {
			return stream, err
		}
		if err := r.stands(ctx); err != nil {
			return nil, fmt.Errorf("no relay in namespace %s: %w", r.namespace, err)
		}
	}
}

// tryToOpen fails with intercept.ErrUnlinked if there is no pod.
func (r *relay) tryToOpen(ctx context.Context, opening wire.Opening) (*wire.Stream, error) {
	agents := r.agents.Load()
	if agents == nil {
		return nil, intercept.ErrUnlinked
	}
	return agents.Open(ctx, opening)
}

// linked reports that one of its pods is heard.
func (r *relay) linked() bool {
	agents := r.agents.Load()
	return agents != nil && agents.Linked()
}

// took is an asker. Once the relay is made anew, the one before is gone.
func (r *relay) took(ctx context.Context, stream wire.Place) (bool, error) {
	agents := r.agents.Load()
	if agents == nil {
		return false, intercept.ErrUnlinked
	}
	return agents.Took(ctx, stream)
}
