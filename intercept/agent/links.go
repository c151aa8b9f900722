package agent

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/duplex"
)

// end is this end of the links.
func (a *Agent) end() wire.End {
	return wire.End{Name: a.Config.Name, Identity: a.Config.Identity, Log: a.Log}
}

// serveLink answers who connects to the link port, and runs the link if that
// is what it wants.
func (a *Agent) serveLink(ctx context.Context, tcp *net.TCPConn) {
	conn := duplex.TCP{TCPConn: tcp}
	defer conn.Close()
	hello, err := a.end().Receive(ctx, conn)
	if err != nil {
		a.Log.Warn("link refused", "error", err)
		return
	}
	if hello.Purpose == wire.ForStatus {
		_ = wire.TellStatus(ctx, conn, a.status()) // who asked has gone, at worst
		return
	}
	if refusal := a.refusal(*hello.Claim); refusal != nil {
		_ = wire.Refuse(ctx, conn, refusal)
		return
	}
	link, err := a.end().Accept(ctx, conn)
	if err != nil {
		a.Log.Warn("link refused", "error", err)
		return
	}
	a.run(ctx, hello, link)
}

// refusal says why no link is to be had for a claim; nil if one is.
func (a *Agent) refusal(c claim.Claim) *wire.Refusal {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch _, err := c.Rule.Compile(); {
	case a.restored:
		return &wire.Refusal{Code: wire.Restored,
			Text: "the agent has restored the workload, because no developer was there for too long"}
	case a.ended[c.ID]:
		return &wire.Refusal{Code: wire.Restored,
			Text: "the agent has ended the claim, because its developer was not there for too long"}
	case err != nil:
		return &wire.Refusal{Code: wire.WrongClaim, Text: err.Error()}
	}
	return nil
}

// run serves a link, which takes the place of the one before of the same claim once it is run
// at the far side, too: whoever does so has given that up.
func (a *Agent) run(ctx context.Context, hello wire.Hello, link *wire.Link) {
	c := *hello.Claim
	d, err := a.newDeveloper(c, link)
	if err != nil {
		link.Close()
		return
	}
	begun := func() {
		var before *developer
		a.change(func() {
			before = a.developers[c.ID]
			a.developers[c.ID], a.hadDeveloper, a.seen[c.ID] = d, true, time.Now()
			a.keep(c.ID, hello.Link, link)
		})
		if before != nil {
			before.link.Close()
		}
		d.log.Info("developer connected", "rule", c.Rule.String())
	}
	told := wire.Agent{
		Port:  func(port int, open bool) { a.setOpen(d, port, open) },
		Drain: func() { a.drain("the intercept is ending") },
	}
	stopMirror := a.startMirror(ctx, d)
	err = link.Run(ctx, wire.Handler{
		Begun:    begun,
		Message:  told.Message,
		Presence: func(present bool) { a.present(d, present) },
		Stream: func(ctx context.Context, opening wire.Opening, stream *wire.Stream) {
			switch {
			case opening.Kind == wire.KindTap && opening.Tap != nil:
				a.tap(ctx, d, *opening.Tap, stream)
			case opening.Kind == wire.KindProxy && a.Config.ProxyPort != 0:
				a.proxy.Agree(ctx, link, opening.Key, stream)
			case opening.Kind == wire.KindTook && opening.Place != nil:
				a.took(ctx, c.ID, *opening.Place, stream)
			case opening.Kind == wire.KindDial && opening.Dial != nil && a.Relay != nil:
				a.Relay.Serve(ctx, *opening.Dial, stream)
			default:
				a.handOver(ctx, opening, stream)
			}
		},
	})
	stopMirror()
	a.change(func() {
		if a.developers[c.ID] == d {
			delete(a.developers, c.ID)
			if link.Heard() {
				a.seen[c.ID] = time.Now()
			}
		}
	})
	d.log.Info("developer gone", "error", err)
}

// setOpen notes whether a local process listens for a port. If it does not, connections
// to it that are idle are of no use.
func (a *Agent) setOpen(d *developer, port int, open bool) {
	d.setOpen(port, open)
	a.change(func() {})
	if open {
		return
	}
	for _, c := range a.clients.all() {
		if c.port.Port == port {
			c.conn.Release(developerOf{d, port, c})
		}
	}
}

// requestsOf counts a claim's requests.
func (a *Agent) requestsOf(id string) *atomic.Int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.requests[id] == nil {
		a.requests[id] = new(atomic.Int64)
	}
	return a.requests[id]
}

// present notes that the developer's side has fallen silent, or is back. What it has yet
// to take goes elsewhere, and so do requests that have no answer and can be repeated.
func (a *Agent) present(d *developer, present bool) {
	a.change(func() {
		if a.developers[d.claim.ID] == d {
			a.seen[d.claim.ID] = time.Now()
		}
	})
	if present {
		return
	}
	d.takeBack()
	for _, c := range a.clients.all() {
		c.conn.TakeBack(developerOf{d, c.port.Port, c})
	}
}
