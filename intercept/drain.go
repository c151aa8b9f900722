package intercept

import (
	"context"

	"github.com/devtun/devtun/intercept/wire"
)

// Drain asks the agents to wind up, whoever uses them, and waits until none sends
// connections here and the local process has none left. Call it when new connections no
// longer come to the agents. The error is ctx's.
func (i *Intercept) Drain(ctx context.Context) error {
	i.mu.Lock()
	for _, l := range i.live() {
		l.link.Drain()
	}
	i.mu.Unlock()
	return i.awaitIdle(ctx)
}

// Leave has the agents send nothing here any more, as if nobody listened, and waits as
// Drain does. Those who hold the intercept beside this developer go on.
func (i *Intercept) Leave(ctx context.Context) error {
	i.change(func() {
		i.left = true
		for _, l := range i.live() {
			for _, local := range i.locals {
				l.link.SetPort(local.Port, false)
			}
		}
	})
	return i.awaitIdle(ctx)
}

// awaitIdle waits until no agent sends connections here and none is open.
func (i *Intercept) awaitIdle(ctx context.Context) error {
	for {
		changed, idle := i.changed.Wait(), i.count.idle.Wait()
		if !i.receives() && i.Summary().Open == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-idle:
		case <-i.ended:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// receives reports whether some agent sends connections here.
func (i *Intercept) receives() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, l := range i.live() {
		for _, state := range l.states {
			if state.To == wire.ToDeveloper && l.link.Present() {
				return true
			}
		}
	}
	return false
}
