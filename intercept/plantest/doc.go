// Package plantest is as much of an API server as an intercept's plan needs, in
// the test's own process and over real HTTP:
//
//	server := plantest.New(t)
//	server.Apply(manifests)
//	client := &plan.Client{Doer: server.Client(), Base: server.URL}
//	…
//	require.Equal(t, before, server.Objects())
//
// It stores any object under its path; creates, reads, lists (by label), patches
// (JSON Patch) and deletes (with preconditions).
// Like a cluster's, its garbage collector is a little late: what has lost its
// owner goes at the second request after that, see Collect. Faults are put in by
// wrapping the client.
package plantest
