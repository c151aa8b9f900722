// Package forwards keeps this machine in step with the services of a cluster:
// for each one an address, listeners on it, and names that lead there.
//
//	f := forwards.New(machine, leases, forwards.Options{…})
//	defer f.Close(ctx)
//	watcher.Run(ctx, func(changed discovery.Changes) { f.Apply(ctx, changed) })
//
// What is wanted is computed from what the cluster says, by pure functions
// (plan.go); what stands is brought in line with that (forwards.go), listeners
// first, then all names in one write, and only then is it said to be ready.
// It is the one place that knows both tunnel and dns.
package forwards
