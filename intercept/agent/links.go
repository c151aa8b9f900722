package agent

import (
	"context"
	"net"
	"time"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/relay"
)

// end is this end of the links.
func (a *Agent) end() wire.End {
	return wire.End{Name: a.Config.Name, Identity: a.Config.Identity, Log: a.Log}
}

// serveLink answers who connects to the link port, and runs the link if that
// is what it wants.
func (a *Agent) serveLink(ctx context.Context, tcp *net.TCPConn) {
	conn := relay.TCP{TCPConn: tcp}
	defer conn.Close()
	purpose, err := a.end().Receive(ctx, conn)
	if err != nil {
		a.Log.Warn("link refused", "error", err)
		return
	}
	if purpose == wire.ForStatus {
		_ = wire.TellStatus(ctx, conn, a.status()) // who asked has gone, at worst
		return
	}
	if a.isRestored() {
		_ = wire.Refuse(ctx, conn, &wire.Refusal{
			Code: wire.Restored,
			Text: "the agent has restored the workload, because no developer was there for too long",
		})
		return
	}
	link, err := a.end().Accept(ctx, conn)
	if err != nil {
		a.Log.Warn("link refused", "error", err)
		return
	}
	a.run(ctx, link)
}

// run serves a link, which takes the place of the one before: whoever
// connects again has given that up.
func (a *Agent) run(ctx context.Context, link *wire.Link) {
	d := newDeveloper(link)
	var before *developer
	a.change(func() { before, a.current, a.hadDeveloper = a.current, d, true })
	if before != nil {
		before.link.Close()
	}
	a.Log.Info("developer connected")
	told := wire.Agent{
		Port:  func(port int, open bool) { d.setOpen(port, open); a.change(func() {}) },
		Drain: func() { a.drain("the intercept is ending") },
	}
	err := link.Run(ctx, wire.Handler{
		Message:  told.Message,
		Presence: func(present bool) { a.present(d, present) },
		Stream:   a.handOver,
	})
	a.change(func() {
		if a.current == d {
			a.current = nil
			if link.Heard() {
				a.seen = time.Now()
			}
		}
	})
	a.Log.Info("developer gone", "error", err)
}

// present notes that the developer's side has fallen silent, or is back.
func (a *Agent) present(d *developer, present bool) {
	if !present {
		d.takeBack()
	}
	a.change(func() {
		if a.current == d {
			a.seen = time.Now()
		}
	})
}

func (a *Agent) isRestored() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.restored
}
