package up

import (
	"context"
	"errors"
)

// task is something that a session has going on until it is closed, whatever becomes of
// the order that has begun it.
type task struct {
	stop  context.CancelFunc
	ready <-chan struct{} // closed once it stands
	over  chan struct{}   // closed when it has ended; err is set then
	err   error
}

// begin runs something, which closes ready when it stands and ends when its context does.
func begin(ready <-chan struct{}, run func(context.Context) error) *task {
	ctx, stop := context.WithCancel(context.Background())
	t := &task{stop: stop, ready: ready, over: make(chan struct{})}
	go func() { // close waits for it
		defer close(t.over)
		defer stop()
		t.err = run(ctx)
	}()
	return t
}

// await returns when it stands. If it does not, it has ended, and the error says why.
func (t *task) await(ctx context.Context) error {
	select {
	case <-t.ready:
		return nil
	case <-t.over:
		if t.err == nil {
			return errEnding
		}
		return t.err
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), t.close())
	}
}

// ended reports that it goes on no more.
func (t *task) ended() bool { return isClosed(t.over) }

// stands reports that it stands.
func (t *task) stands() bool { return isClosed(t.ready) && !t.ended() }

// close ends it, and returns what it has ended with.
func (t *task) close() error {
	t.stop()
	<-t.over
	return t.err
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
