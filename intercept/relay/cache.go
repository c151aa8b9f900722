package relay

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// answerTimeout bounds the search for one answer, and renewTimeout that for one in the
	// place of another which would still do.
	answerTimeout = 5 * time.Second
	renewTimeout  = time.Second

	// failedAfter is how long after a failure it is asked again.
	failedAfter = 500 * time.Millisecond

	// staleLimit is how old an answer may become while no newer one is to be had: the API
	// server, or a name server, is away.
	staleLimit = 5 * time.Minute

	// maxAnswers bounds a cache. What goes beyond it makes it begin anew.
	maxAnswers = 8192
)

// cache remembers answers. Each is asked for by one; the others of that question wait, or
// make do with the answer before if that has been good until just now. Who finds a good
// answer takes no lock. The zero value is an empty one.
type cache struct {
	answers sync.Map // *answer by question
	count   atomic.Int64
}

// answer is one that is known once ready is closed.
type answer struct {
	before *any // nil if there is none that would do
	ready  chan struct{}
	value  any
	err    error
	asked  time.Time     // when value was
	good   time.Duration // for how long it is
	until  time.Time
}

// known is get of answers that are of one type.
func known[A any](ctx context.Context, c *cache, question any,
	ask func(context.Context) (A, time.Duration, error)) (A, error) {
	found, err := c.get(ctx, question, func(ctx context.Context) (any, time.Duration, error) { return ask(ctx) })
	value, _ := found.(A) // nil with an error
	return value, err
}

// get returns the answer to a question: the one that is known, if it is good, or else what
// ask returns, with the time for which that is good. While ask fails, the answer before
// stays for a while.
func (c *cache) get(ctx context.Context, question any,
	ask func(context.Context) (any, time.Duration, error)) (any, error) {
	for {
		found, known := c.answers.Load(question)
		if !known {
			next := &answer{ready: make(chan struct{})}
			if _, known = c.answers.LoadOrStore(question, next); known {
				continue
			}
			c.bound(question, next)
			return next.ask(ctx, nil, ask)
		}
		current := found.(*answer)
		if err := current.wait(ctx); err != nil {
			return nil, err
		}
		if !current.isKnown() {
			return *current.before, nil
		}
		if time.Now().Before(current.until) {
			return current.value, current.err
		}
		next := &answer{ready: make(chan struct{})}
		if time.Now().Before(current.until.Add(current.good)) && current.err == nil {
			next.before = new(current.value)
		}
		if c.answers.CompareAndSwap(question, current, next) {
			return next.ask(ctx, current, ask)
		}
	}
}

// wait waits until the answer is known, unless the one before would do.
func (a *answer) wait(ctx context.Context) error {
	if a.before != nil || a.isKnown() {
		return nil
	}
	select {
	case <-a.ready:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *answer) isKnown() bool {
	select {
	case <-a.ready:
		return true
	default:
		return false
	}
}

// ask asks for the answer. Who asks may leave while others wait for it, so it does not end
// with ctx.
func (a *answer) ask(ctx context.Context, before *answer,
	ask func(context.Context) (any, time.Duration, error)) (any, error) {
	usable := before != nil && before.err == nil && time.Since(before.asked) < staleLimit
	timeout := answerTimeout
	if usable {
		timeout = renewTimeout
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	a.asked = time.Now()
	if a.value, a.good, a.err = ask(ctx); a.err != nil {
		a.good = failedAfter
		if usable {
			a.value, a.err, a.asked, a.good = before.value, nil, before.asked, before.good
		}
	}
	a.until = time.Now().Add(a.good)
	close(a.ready)
	return a.value, a.err
}

// bound forgets all answers but a new one, once there are too many.
func (c *cache) bound(question any, one *answer) {
	if c.count.Add(1) > maxAnswers {
		c.answers.Clear()
		c.answers.Store(question, one)
		c.count.Store(1)
	}
}
