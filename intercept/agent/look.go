package agent

import (
	"context"
	"sync"

	"github.com/devtun/devtun/intercept/wire"
)

// startMirror has a developer get copies, if that is what the claim is for, until stop is
// called, which waits for what is under way.
func (a *Agent) startMirror(ctx context.Context, d *developer) (stop func()) {
	if d.mirror == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var copying sync.WaitGroup
	copying.Go(func() {
		if err := a.hub.Mirror(ctx, d.mirror); err != nil {
			a.Log.Warn("no copies", "claim", d.claim.ID, "error", err)
		}
	})
	return func() {
		cancel()
		copying.Wait()
	}
}

// tap tells a developer's side of requests until it wants to know no more.
func (a *Agent) tap(ctx context.Context, d *developer, wanted wire.Tap, stream *wire.Stream) {
	if wanted.Own && d.claim.Mirror { // others answer what it gets copies of
		wanted.Own, wanted.Rule, wanted.Ports = false, d.claim.Rule, d.claim.Ports
	}
	if err := a.hub.Tap(ctx, d.claim.ID, d.link.Present, wanted, stream); err != nil {
		stream.Refuse(err.Error())
	}
}
