// Package agent is the agent's end of an intercept: the pod that stands in for
// a workload.
//
//	client ─▶ listener ─┬─▶ developer: a stream of the link, if a local
//	                    │   process listens, and takes the connection in time
//	                    └─▶ origin: the workload's own pods, in all other cases
//
// A connection's first bytes go to the developer's side at once and are kept
// until the local process has taken the connection; until then it can still go
// to the origin, whole. Without an origin (the workload was replaced) it waits
// for the developer instead.
//
// A kept HTTP/1 connection has that choice again between two requests: when the
// developer's side goes, the connection is rerouted, and its client learns nothing.
//
// The agent listens on the ports of its configuration, on one for the kubelet's
// question whether it is ready, and on one on loopback, for links. It dials the
// configured origins and nothing else.
//
// Without a developer for the grace period, it restores the workload itself. Told to
// stop, it drains: new connections go to the origin, kept ones are closed when idle.
package agent
