// Package intercept is devtun intercept, and list, restore and rbac beside it: being a
// service of the cluster from this machine.
//
//	planned, err := options.Plan(ctx, cluster…)      // finds and computes; changes nothing
//	err = planned.Run(ctx, tracker, streams, start)  // prepare, await, swap, hold, restore
//
// plan.go asks the cluster what there is and computes the plan. run.go carries it out,
// make before break, and puts everything back at the end: environment and files come
// first (handover.go), then the namespace's other services (others.go), then the traffic.
// While it stands, what the plan made is made again (keep.go), and what else listens on
// the process's ports is told of (ports.go).
package intercept
