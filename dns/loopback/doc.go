// Package loopback shares out the loopback addresses of this machine: every service
// gets one of its own from 127/8, and no two sessions the same. Pods' addresses it puts
// on the loopback interface, where that takes nothing from anybody.
//
//	leases, err := loopback.OpenLeases(loopback.DefaultLeases())
//	addr, err := leases.Assign(key)    // 127.x.y.z, the same for this key on every run
//	aliases, err := loopback.NewAliases()
//	err = aliases.Add(ctx, addr)       // macOS has to be given it; so has every system a pod's
//	…
//	err = aliases.Remove(ctx, addr)
//	err = leases.Close()
//
// The kernel ends leases with the process. Aliases it keeps; so each has a record of
// who added it (Aliases), and Clean removes those of the dead.
package loopback
