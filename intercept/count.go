package intercept

import (
	"sync"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/internal/broadcast"
	"github.com/devtun/devtun/tunnel"
)

// Summary counts an intercept's connections. Traffic is as the clients see it.
type Summary struct {
	Open     int   // with the local process now: for HTTP/1.1, requests in flight at most
	Taken    int   // by the local process, in all
	Refused  int   // by the local process; the origin got them, if there is one
	Broken   int   // ended otherwise than in good order
	Sent     int64 // bytes from clients, open connections' included
	Received int64 // bytes to clients, likewise
	// Agents is what the agents have counted, summed up; Open is not of use once
	// they are gone.
	Agents wire.Counters
}

// Summary is how things stand now.
func (i *Intercept) Summary() Summary { return i.count.summary() }

// counter counts.
type counter struct {
	mu      sync.Mutex
	Summary                          // all but Agents and the bytes
	meter   tunnel.Meter             // the bytes
	agents  map[string]wire.Counters // by pod, as last said
	idle    broadcast.Signal         // Open has fallen to zero
}

func (c *counter) summary() Summary {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.Summary
	traffic := c.meter.Traffic()
	all.Sent, all.Received = traffic.Sent, traffic.Received
	for _, one := range c.agents {
		all.Agents.Open += one.Open
		all.Agents.ToDeveloper += one.ToDeveloper
		all.Agents.ToOrigin += one.ToOrigin
		all.Agents.FellBack += one.FellBack
		all.Agents.Failed += one.Failed
		all.Agents.Received += one.Received
		all.Agents.Sent += one.Sent
		all.Agents.Copied += one.Copied
		all.Agents.Dropped += one.Dropped
	}
	return all
}

func (c *counter) change(by func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	by()
}

func (c *counter) refused() { c.change(func() { c.Refused++ }) }
func (c *counter) taken()   { c.change(func() { c.Taken++; c.Open++ }) }

func (c *counter) left() {
	c.change(func() {
		if c.Open--; c.Open == 0 {
			c.idle.Notify()
		}
	})
}

func (c *counter) agent(pod string, now wire.Counters) { c.change(func() { c.agents[pod] = now }) }
