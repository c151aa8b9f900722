package agent

import (
	"sync"
	"time"

	"github.com/devtun/devtun/intercept/wire"
)

// counts are the counters that the developer's side is told.
type counts struct {
	mu sync.Mutex
	wire.Counters
}

func (c *counts) change(by func(*wire.Counters)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	by(&c.Counters)
}

func (c *counts) developer() { c.change(func(n *wire.Counters) { n.ToDeveloper++ }) }
func (c *counts) failed()    { c.change(func(n *wire.Counters) { n.Failed++ }) }
func (c *counts) origin()    { c.change(func(n *wire.Counters) { n.ToOrigin++ }) }
func (c *counts) fellBack()  { c.change(func(n *wire.Counters) { n.FellBack++ }) }

func (c *counts) ended(client *client) {
	c.change(func(n *wire.Counters) {
		n.Received += client.received.Load()
		n.Sent += client.sent.Load()
	})
}

func (c *counts) now(open int) wire.Counters {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.Counters
	now.Open = open
	return now
}

// clients are the open connections.
type clients struct {
	mu   sync.Mutex
	open map[*client]bool
	came time.Time // the latest
}

func newClients() *clients {
	return &clients{open: make(map[*client]bool)}
}

func (c *clients) add(one *client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[one] = true
	c.came = time.Now()
}

func (c *clients) remove(one *client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, one)
}

func (c *clients) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// quiet is for how long none has come, counted from since at the earliest.
func (c *clients) quiet(since time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.came.After(since) {
		since = c.came
	}
	return time.Since(since)
}

func (c *clients) all() []*client {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*client, 0, len(c.open))
	for one := range c.open {
		all = append(all, one)
	}
	return all
}
