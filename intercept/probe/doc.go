// Package probe is a pod that says how the cluster's network looks from its node, for
// devtun doctor --probe.
//
//	devtun ── port-forward ──▶ 127.0.0.1:Port ── POST /ask [Question…] ──▶ Report
//	                                 │
//	                                 ├─▶ a Service's address, a pod's, a name server's
//	                                 └─▶ another probe, at its pod's address and PeerPort
//
// It asks what it is asked to, all questions side by side, each within Limit, and says of
// each what became of it. What devtun makes of the answers is package network's, below
// cmd/cli/doctor. Whoever may port-forward to the pod may ask, nobody else.
//
// To other pods it answers on PeerPort, and only to who knows the run's random token:
// a few connections at a time, each with a bound on its bytes and its time.
//
// It is part of the agent's program, without client-go, and ends by itself after Life.
package probe
