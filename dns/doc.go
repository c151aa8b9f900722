// Package dns is devtun's hold on this machine's names: the host names of
// services, the loopback addresses that they lead to, the hosts file that says
// so, and the listeners on those addresses.
//
//	leases, err := loopback.OpenLeases(loopback.DefaultLeases())
//	hosts, err := dns.NewHosts("")                          // the system's file
//	naming := dns.Naming{Default: "shop"}
//
//	api := dns.Service{Namespace: "shop", Name: "api"}
//	names, err := naming.Names(api)                         // api, api.shop, …
//	addr, err := leases.Assign(dns.Key("my-context", api))  // 127.x.y.z, ours alone
//	listener, err := dns.Listen(ctx, netip.AddrPortFrom(addr, 80))
//	report, err := hosts.Set(ctx, []dns.Entry{{Addr: addr, Names: names}})
//	…
//	report, err = hosts.Remove(context.WithoutCancel(ctx))
//	err = leases.Close()
//
// # The hosts file
//
// It belongs to the user and to other tools. A session's block is one run of
// lines before everything else; each line carries a tag that proves it ours
// (line.go), so that all other bytes can be told apart and kept (splice.go).
// The way of a change:
//
//	lock → replay (journal.go) → leftovers → read → split → merge → edit → join
//	     → replace, or overwrite where that cannot be → look again → flush
//
// On a full disk, where neither a new file nor a journal can be made, the file stays
// as it is, names included, and Clean takes them out another day.
//
// A replaced version is kept until it is sure that no program wrote to it
// (replace.go, leftover.go, quiet.go); what one wrote is merged (merge.go). A
// devtun that is killed at any point leaves a whole file, and whoever comes next
// goes the same way and finishes the work.
//
// # Who owns what
//
// A session owns its Leases, its Hosts, its Aliases (the loopback addresses that
// macOS has to be given) and its listeners. The kernel ends leases
// and listeners with the process; names of a dead process (owner.go) are removed
// by any later Set, Remove or Clean of any session.
//
// # Rights
//
// What may need root's rights is in Machine; package helper stands in for who has
// none. The package knows nothing of Kubernetes and nothing of tunnels.
package dns
