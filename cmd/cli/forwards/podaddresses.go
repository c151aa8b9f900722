package forwards

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/loopback"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
)

// podAddresses are the addresses of the pods behind forwarded services, on this machine:
// servers such as Redis Cluster tell their clients these. An address stands as long as
// some EndpointSlice has it, ready or not, and leads to that pod alone. One that cannot be
// had is left out, and nothing else fails. It is guarded by Forwards' lock.
type podAddresses struct {
	all      *Forwards
	wanted   map[discovery.Key][]podTarget // of each service
	standing map[netip.Addr]*forward
	refused  map[netip.Addr]error
	told     map[refusal]bool
	check    func(netip.Addr) error // loopback.CheckPod
}

// podTarget is one pod's address, and the ports that one service has there.
type podTarget struct {
	addr    netip.Addr
	service dns.Service
	ports   []port
}

func newPodAddresses(all *Forwards) *podAddresses {
	return &podAddresses{
		all: all, wanted: make(map[discovery.Key][]podTarget), standing: make(map[netip.Addr]*forward),
		refused: make(map[netip.Addr]error), told: make(map[refusal]bool),
		check: loopback.CheckPod,
	}
}

// want notes the pods of a service; nil is one that is not forwarded.
func (p *podAddresses) want(key discovery.Key, service *discovery.Service) {
	if service == nil || !p.all.options.PodAddresses {
		delete(p.wanted, key)
		return
	}
	p.wanted[key] = podTargetsOf(service)
}

// podTargetsOf lists the pods of a service. What is no pod has none that
// its servers would tell.
func podTargetsOf(service *discovery.Service) (all []podTarget) {
	for _, p := range service.Ports {
		for _, endpoint := range slices.Concat(p.Endpoints, p.Unready) {
			addr, err := netip.ParseAddr(endpoint.Host)
			if err != nil || endpoint.Pod.Name == "" {
				continue
			}
			i := slices.IndexFunc(all, func(a podTarget) bool { return a.addr == addr })
			if i < 0 {
				i = len(all)
				named := dns.Service{Namespace: service.Namespace, Name: service.Name, Pod: endpoint.Pod.Name}
				all = append(all, podTarget{addr: addr, service: named})
			}
			all[i].ports = append(all[i].ports, port{
				number: number{endpoint.Port, p.UDP}, name: p.Name, app: p.App, remote: endpoint.Port,
				endpoints: []tunnel.Endpoint{endpoint},
			})
		}
	}
	for i := range all {
		all[i].ports = onePerNumber(all[i].ports)
	}
	return all
}

// onePerNumber leaves one of the ports with one number and protocol: two ports of a service
// may lead to one of a pod, and so may two services.
func onePerNumber(ports []port) []port {
	slices.SortStableFunc(ports, func(a, b port) int {
		return cmp.Or(cmp.Compare(a.local, b.local), cmp.Compare(protocol(a.udp), protocol(b.udp)))
	})
	return slices.CompactFunc(ports, func(a, b port) bool { return a.number == b.number })
}

// merged is what all services want, by address.
func (p *podAddresses) merged() map[netip.Addr]podTarget {
	merged := make(map[netip.Addr]podTarget)
	for _, key := range sorted(slices.Collect(maps.Keys(p.wanted))) {
		for _, wanted := range p.wanted[key] {
			if before, is := merged[wanted.addr]; is {
				wanted.service = before.service
				wanted.ports = onePerNumber(slices.Concat(before.ports, wanted.ports))
			}
			merged[wanted.addr] = wanted
		}
	}
	return merged
}

// apply brings what stands in line with what is wanted, and returns what to tell of it.
func (p *podAddresses) apply(ctx context.Context) []Event {
	if !p.all.options.PodAddresses {
		return nil
	}
	wanted := p.merged()
	for addr, f := range p.standing {
		if pod := wanted[addr].service; pod.Pod != f.service.Pod || pod.Namespace != f.service.Namespace {
			f.close(tunnel.ErrWithdrawn)
			delete(p.standing, addr)
		}
	}
	clear(p.refused)
	for _, addr := range slices.SortedFunc(maps.Keys(wanted), netip.Addr.Compare) {
		if ctx.Err() != nil {
			return nil
		}
		if err := p.stand(ctx, wanted[addr]); err != nil {
			p.refused[addr] = err
		}
	}
	return p.news()
}

// stand has one pod's address on this machine, with all of the ports or not at all: who
// else listens on a port of it, because it has that one on all addresses, must not be
// taken for the pod.
func (p *podAddresses) stand(ctx context.Context, wanted podTarget) error {
	f := p.standing[wanted.addr]
	if f == nil {
		f = &forward{
			all: p.all, service: wanted.service, addr: wanted.addr, fixed: true, listeners: make(map[number]*listener),
			key: discovery.Key{Namespace: wanted.service.Namespace, Name: wanted.service.Name},
		}
		if slices.Contains(p.all.options.Naming.Taken, wanted.addr.String()) {
			return errReserved
		}
		if err := p.check(wanted.addr); err != nil {
			return err
		}
		if err := p.all.machine.AddAddress(ctx, wanted.addr); err != nil {
			return err
		}
	}
	f.update(ctx, wanted.ports)
	if len(f.refused) > 0 {
		err := f.refused[0].Err
		f.close(tunnel.ErrWithdrawn)
		delete(p.standing, wanted.addr)
		return err
	}
	p.standing[wanted.addr] = f
	return nil
}

// retry tries again what was refused.
func (p *podAddresses) retry(ctx context.Context) []Event {
	if len(p.refused) == 0 {
		return nil
	}
	return p.apply(ctx)
}

// close removes all of them.
func (p *podAddresses) close() {
	for _, f := range p.standing {
		f.stop(nil)
	}
	for _, f := range p.standing {
		f.close(nil)
	}
	clear(p.standing)
}
