// Package dns is what devtun asks of this machine: host names for services, an
// address for each, and listeners on those addresses.
//
//	naming := dns.Naming{Default: "shop"}
//	api := dns.Service{Namespace: "shop", Name: "api"}
//	names, err := naming.Names(api)                         // api, api.shop, …
//
//	leases, err := loopback.OpenLeases(loopback.DefaultLeases())
//	addr, err := leases.Assign(dns.Key("my-context", api))  // 127.x.y.z, ours alone
//
//	var machine dns.Machine = …                             // Direct, or helper.Machine
//	listener, err := machine.Listen(ctx, netip.AddrPortFrom(addr, 80))
//	report, err := machine.SetNames(ctx, []hostsfile.Entry{{Addr: addr, Names: names}})
//	…
//	report, err = machine.SetNames(context.WithoutCancel(ctx), nil)
//	err = leases.Close()
//
// A session owns its leases, its names and its listeners. The kernel ends leases and
// listeners with the process; names of a dead process are removed by whichever devtun
// comes next.
//
// What may need root's rights is in Machine; package helper stands in for who has
// none, and CheckManaged is what it lets through. The package knows nothing of
// Kubernetes and nothing of tunnels.
package dns
