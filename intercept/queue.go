package intercept

import "sync"

// queueLimit bounds how many connections' ends wait to be told. When who is told
// hangs (a terminal that was stopped), later ones are left out; the counters know
// of them.
const queueLimit = 10_000

// queue brings events to who is told, so that nobody who has one waits.
type queue struct {
	event func(Event) // nil drops all

	mu      sync.Mutex
	pending []Event
	closed  bool
	changed *sync.Cond // on mu
}

func newQueue(event func(Event)) *queue {
	q := &queue{event: event}
	q.changed = sync.NewCond(&q.mu)
	return q
}

func (q *queue) put(e Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.event == nil || q.closed || e.Connection != nil && len(q.pending) >= queueLimit {
		return
	}
	q.pending = append(q.pending, e)
	q.changed.Signal()
}

// start begins to tell; who is returned waits for the end after close.
func (q *queue) start() *sync.WaitGroup {
	var telling sync.WaitGroup
	telling.Go(func() {
		for {
			batch, more := q.take()
			for _, e := range batch {
				q.event(e)
			}
			if !more {
				return
			}
		}
	})
	return &telling
}

// take waits for events. Of a closed queue it takes the last, with more false.
func (q *queue) take() (batch []Event, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.pending) == 0 && !q.closed {
		q.changed.Wait()
	}
	batch, q.pending = q.pending, nil
	return batch, !q.closed
}

// close takes no more events; what is pending is still told.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Signal()
}
