// Package look lets developers look on at a workload's requests without touching them:
// by a tap, which tells of each request, and by a mirror, which copies it.
//
//	hub := look.NewHub()
//	…
//	observation := hub.Begin(request, look.About{Port: port, Client: client, By: claim})
//	…
//	err = hub.Tap(ctx, claim.ID, present, wanted, stream)          // until either ends
//	err = hub.Mirror(ctx, hub.NewMirror(claim, link, isOpen, n))      // until ctx ends
//
// Who carries a request never waits for who looks on. What is copied of it goes to a ring
// of [Budget] bytes for each watcher; when that is full, or the watcher's developer is not
// heard, what would be added is dropped and counted. With nobody there a request costs
// one atomic load.
//
// A copy goes to the developer's side on a stream of its own, which [Reader] reads
// there. It has no answer: package replay drops what the local
// process says.
//
// The package is the agent's, which links it; what a developer's side needs of it are the
// Reader and the types.
package look
