// Package intercept is the developer's end of an intercept: its links to the agents,
// and the local process behind them.
//
//	i, err := intercept.New(intercept.Config{Client: c, Dial: pool.Dial, Plan: p, Claim: mine, Local: …})
//	go i.Run(ctx)                 // links to agents, local process, events
//	err = i.Await(ctx)            // agents ready and linked, local ports checked
//	err = executor.Swap(ctx)      // package plan: the traffic comes
//	err = i.AwaitTraffic(ctx)     // the cluster has followed
//	go i.WatchChanges(standing)   // what others do to what was changed
//	go i.WatchOwn(standing, gone) // what others take away of what was made
//	…
//	report, err := plan.Restore(…)
//	i.Drain(ctx)                  // let the agents wind up; or Leave, where others go on
//	stop()                        // end Run's context
//
// An Intercept keeps a link to every agent pod (package wire's, in a connection to the
// pod's loopback port), and carries what comes on it to the local process:
//
//	agent ═ link ═▶ Intercept.dial ─▶ local process, if it listens
//
// Whether a local process listens is watched (on Linux without connecting to it)
// and told to every agent; while it does not, they send to the origin. Why agents do
// not come is package rollout's to say, and package objects watches their pods.
//
// Run owns everything: links, watches, the goroutine that calls Config.Event.
// The plan is carried out and undone by package plan, not here.
package intercept
