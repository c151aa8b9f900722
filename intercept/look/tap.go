package look

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/proxy"
	"github.com/devtun/devtun/tunnel/record"
)

const (
	// maxRecords is how many requests a tap may be behind, those under way included.
	maxRecords = 2048

	// recordCost, in bytes, is what a record takes beside what it tells.
	recordCost = 512

	// maxBody, in bytes, is the most of a body that is told.
	maxBody = 256 << 10

	// tellEvery is how often a tap is told of what has ended meanwhile. A record that comes
	// alone is told at once; when there are many, each would cost as much as its request.
	tellEvery = 50 * time.Millisecond
)

// tap tells of requests.
type tap struct {
	options record.Options
	present func() bool // somebody hears it
	budget  budget
	more    chan struct{} // holds a token when there are records

	mu       sync.Mutex
	records  []kept
	underWay int
	dropped  int
	ended    bool
}

// kept is a record, and what it takes of the budget.
type kept struct {
	wire.Record
	cost int
}

// Tap tells of the requests that a developer's side wants to be told of, until ctx ends
// or the stream does. id is the claim of that developer. The error is why the tap
// is none, or why the stream broke off.
func (h *Hub) Tap(ctx context.Context, id string, present func() bool, wanted wire.Tap, stream *wire.Stream) error {
	t := &tap{options: wanted.Options, present: present, budget: budget{most: Budget, of: &h.budget},
		more: make(chan struct{}, 1)}
	t.options.Bodies = min(max(t.options.Bodies, 0), maxBody)
	if !wanted.Own {
		id = ""
	}
	remove, err := h.add(wanted.Rule, wanted.Ports, id, t)
	if err != nil {
		return fmt.Errorf("tap: %w", err)
	}
	defer t.close()
	defer remove()
	together := bufio.NewWriter(stream)
	encoder := json.NewEncoder(together)
	due := time.NewTicker(tellEvery)
	defer due.Stop()
	for {
		select {
		case <-t.more:
		case <-stream.Broken():
			return nil // nobody wants to know any more
		case <-ctx.Done():
			return nil
		}
		for next, some := t.next(); some; next, some = t.next() {
			err := encoder.Encode(next.Record)
			t.budget.give(next.cost)
			if err != nil {
				return fmt.Errorf("tap: %w", err)
			}
		}
		if err := together.Flush(); err != nil {
			return fmt.Errorf("tap: %w", err)
		}
		due.Reset(tellEvery)
		select {
		case <-due.C:
		case <-stream.Broken():
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// next is the oldest record that has not been told.
func (t *tap) next() (next kept, some bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.records) == 0 {
		return kept{}, false
	}
	next, t.records = t.records[0], t.records[1:]
	next.Dropped, t.dropped = t.dropped, 0
	return next, true
}

// close gives back what is kept of the budget for all; requests under way do when they
// end.
func (t *tap) close() {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	for next, some := t.next(); some; next, some = t.next() {
		t.budget.give(next.cost)
	}
}

// begin keeps room for the record of a request.
func (t *tap) begin(r *proxy.Request, about About) proxy.Observation {
	one := &tapped{tap: t, about: about, by: wire.Origin}
	if about.By != nil {
		one.by = about.By.User + "@" + about.By.Machine
	}
	t.mu.Lock()
	t.underWay++
	if t.ended || !t.present() || t.underWay+len(t.records) > maxRecords ||
		!one.keep(recordCost+len(r.Target)+len(r.Authority)) {
		t.drop(one)
		t.mu.Unlock()
		return nil
	}
	t.mu.Unlock()
	return record.Begin(r, t.options, one.keep, one.done)
}

// drop counts a request that is not told of. Call it with mu held.
func (t *tap) drop(one *tapped) {
	t.underWay--
	t.dropped++
	t.budget.give(one.cost)
}

// tapped is a request that is told of.
type tapped struct {
	tap   *tap
	about About
	by    string
	cost  int // guarded by whoever keeps its record
}

func (one *tapped) keep(bytes int) bool {
	if !one.tap.budget.take(bytes) {
		return false
	}
	one.cost += bytes
	return true
}

func (one *tapped) done(r record.Request) {
	t := one.tap
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended || !t.present() {
		t.drop(one)
		return
	}
	t.underWay--
	t.records = append(t.records, kept{cost: one.cost,
		Record: wire.Record{Request: r, Port: one.about.Port, Client: one.about.Client, By: one.by}})
	select {
	case t.more <- struct{}{}:
	default:
	}
}
