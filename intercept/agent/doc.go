// Package agent is the agent's end of an intercept: the pod that stands in for
// a workload.
//
//	client ─▶ listener ─▶ request ─┬─▶ developer: a stream of the link, if the claim's
//	                               │   rule matches, a local process listens, and takes it
//	                               └─▶ origin: the workload's own pods, in all other cases
//
// How connections become requests, and what is done with those that nobody takes, is
// package proxy's; router (route.go) says where each goes. Several developers may be
// there, each with a claim that comes with the hello of the link (links.go); the first
// whose rule matches gets the request. Without an origin (the workload was replaced)
// it waits for the developer instead.
//
// The agent listens on the ports of its configuration, on one for the kubelet's
// question whether it is ready, on one on loopback, for links, and on one for the links' way
// through the pod proxy, which those have agreed on. It dials the configured origins, and what
// package relay lets it if it is a relay as well; with plan.Relay it is nothing else.
//
// With plan.HandOver it has no ports and no origin: it hands over environment and files,
// and ends (handedover.go).
//
// It ends a claim whose developer is gone for its grace, and restores the workload when
// none is left (claims.go). Told to stop, it drains: requests go to the origin, and
// clients are told to connect anew.
package agent
