// Package intercept is the CLI's end of an intercept: a [Session] with the
// agents of one plan.
//
//	session, err := intercept.New(intercept.Config{Client: c, Dial: pool.Dial, Plan: p, Local: …, Event: tell})
//	go session.Run(ctx)                 // links to agents, local process, events
//	err = session.Await(ctx)            // agents ready and linked, local ports checked
//	err = executor.Swap(ctx)            // package plan: the traffic comes
//	err = session.AwaitTraffic(ctx)     // the cluster has followed
//	go session.WatchChanges(standing)   // what others do to what was changed
//	go session.WatchOwn(standing, gone) // what others take away of what was made
//	…
//	report, err := plan.Restore(…)
//	session.Drain(ctx)                  // let the agents wind up
//	stop()                              // end Run's context
//
// A session keeps a link to every agent pod, each one session of package wire in
// a connection to the pod's loopback port, and carries what comes on it to the
// local process:
//
//	agent ═ link ═▶ Session.dial ─▶ local process, if it listens
//
// Whether a local process listens is watched (on Linux without connecting to it)
// and told to every agent; while it does not, they send to the origin. Why agents do
// not come is package rollout's to say, and package objects watches their pods.
//
// Run owns everything: links, watches, the goroutine that calls Config.Event.
// The plan is carried out and undone by package plan, not here.
package intercept
