// Package plan is an intercept as data, and what is done with it: preparing,
// swapping, restoring.
//
//	executor := plan.NewExecutor(client, p, claim)
//	err := executor.Prepare(ctx)  // store the plan, then create what it lists: nothing of the user's changes
//	…                             // agent ready, session up
//	err = executor.Swap(ctx)      // put the agent in the traffic's way
//	…
//	report, err := executor.Restore(ctx) // end the claim; if it was the last, undo all
//
// While the developer has a session with any agent, [Touch] says so to all. Where an
// intercept stands already, which Prepare says with a [StandingError], [Join] adds a
// claim to it, and an Executor of what Join returns goes on in the same way: it does what
// whoever began has not done. [Restore] undoes an intercept whoever holds it.
//
// A [Plan] is computed elsewhere (package target) and holds every request to the
// API server, with the one that undoes it. Before anything else it is stored in
// a ConfigMap, so whoever finds that ConfigMap can restore: the CLI, the agent,
// a devtun on another machine, several of them at once. What the plan creates is
// owned by its root and goes with that; but for the agent's program, which all plans of
// a namespace share, in ConfigMaps that their roots own together. The claims stand in the same ConfigMap, and
// change by compare-and-swap. Who takes the last one out notes in the same request that
// the intercept is ending: nobody joins it from then on, and whoever sees it may
// restore. What the plan changes, it changes by JSON Patches (RFC 6902) whose
// test operations pin what they expect, so that nobody else's change is ever
// overwritten; see [Step.Examine].
//
// The package needs the standard library only, and the packages claim and pause,
// because the agent links it.
// It starts no goroutines and keeps nothing between calls.
package plan
