// Package network checks the cluster's network by probes: what is dead between pods, from
// which node, and whose fault that is.
//
//	results := network.Check(ctx, network.Options{Cluster: cluster, Namespace: "demo", Service: "web"})
//
// Check makes probes (package probe), one on each of up to five nodes, asks each of them the
// same questions, and removes them. What they say is a Matrix; judge, a pure function, makes
// findings of it. A finding that names a component gets evidence, where it may be read: its
// log, the node's conditions and versions.
//
//	objects ─▶ subjects ─▶ questions ─▶ probes ─▶ Matrix ─▶ judge ─▶ findings ─▶ evidence
//
// What only follows from an earlier finding is not one of its own: with the way between
// two nodes dead, the pods beyond are not.
package network
