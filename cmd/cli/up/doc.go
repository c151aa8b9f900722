// Package up is 'devtun up': a session that holds what a project file lists, in the
// foreground or in the background.
//
//	devtun.yaml and flags ─ order.go ─> background.Order ─ the session's socket ─┐
//	                                                                             v
//	session.go, apply.go <─ diff.go: what is to end, to begin <─ want.go: what is wanted
//	     │                            ^
//	     └─ forwards.go, intercepts.go, runs.go: what stands, each a task (task.go)
//
// Whoever calls `devtun up` gives an order (launch.go): to the session of that
// name that runs already, or to a new one, which this process holds or, with --detach, a
// child of it (child.go). The session translates an order once, into a plain struct
// (want); what is to be done is a pure function of that and of what stands (diff.go);
// apply does it. What the session says goes to its log, its terminal, and whoever has just
// given an order (log.go).
//
// A program of the project is a process (process.go): beside an intercept, whose requests it
// answers, or a task of its own. restart.go starts it again.
//
// The session owns this machine's helper, its forwards, intercepts and programs, and ends them
// when it is told to (background.Holder's Down), by a signal, or with --ppid's process.
// Services are forwarded and workloads intercepted as by packages forward and intercept.
package up
