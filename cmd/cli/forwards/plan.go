package forwards

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
)

// Remap moves a service's port to another number on this machine.
type Remap struct {
	Service discovery.Key
	Local   int
	Remote  string // number or name
}

func (r Remap) String() string { return fmt.Sprintf("%s:%d:%s", r.Service.Name, r.Local, r.Remote) }

// target is what a service wants on this machine: one for the service, and one for
// each pod that has a name of its own in it.
type target struct {
	service dns.Service
	ports   []port
}

// number is a port's on this machine.
type number struct {
	local int
	udp   bool
}

func (n number) String() string { return numbered(n.local, n.udp) }

func protocol(udp bool) string {
	if udp {
		return "udp"
	}
	return "tcp"
}

// port is a listener that a target wants, and where it leads.
type port struct {
	number
	name      string
	app       string // as in discovery.Port
	remote    int
	endpoints []tunnel.Endpoint
	absent    string // as in discovery.Port
}

// pods is how many of the port's endpoints are pods.
func (p port) pods() (n int) {
	for _, endpoint := range p.endpoints {
		if endpoint.Pod.Name != "" {
			n++
		}
	}
	return n
}

// without says that no pod serves the port, while there are ready ones.
func (p port) without() string {
	if p.absent == "" {
		return fmt.Sprintf("without port %s: no ready pod has it", numbered(p.remote, p.udp))
	}
	return fmt.Sprintf("without port %s: no ready pod has a port named %s", numbered(p.remote, p.udp), p.absent)
}

// numbered writes a port as people do, 53 or 53/udp.
func numbered(port int, udp bool) string {
	if udp {
		return fmt.Sprintf("%d/udp", port)
	}
	return strconv.Itoa(port)
}

func (p port) event() PortEvent {
	return PortEvent{Local: p.local, Remote: p.remote, UDP: p.udp, Name: p.name, App: p.app}
}

// targets computes what a service wants.
func targets(service *discovery.Service, remaps []Remap) []target {
	own := target{
		service: dnsService(service.Key),
		ports:   portsOf(service.Key, service.Ports, remaps),
	}
	wanted := []target{own}
	for _, pod := range service.Pods {
		wanted = append(wanted, target{
			service: dns.Service{Namespace: service.Namespace, Name: service.Name, Pod: pod.Hostname},
			ports:   portsOf(service.Key, pod.Ports, remaps),
		})
	}
	return wanted
}

// dnsService is what a service, or a target beside services, is called here.
func dnsService(key discovery.Key) dns.Service {
	kind, name := key.Kind()
	service := dns.Service{Namespace: key.Namespace, Name: name}
	switch kind {
	case discovery.KindPod, discovery.KindVM:
		service.Kind = dns.Object
	case discovery.KindHost:
		service.Kind = dns.Host
	case discovery.KindIP:
		service.Kind = dns.Nameless
	}
	return service
}

// listened are those ports of a service that are listened on.
func (s Selection) listened(service discovery.Key, ports []port) []port {
	if s.Without == nil {
		return ports
	}
	return slices.DeleteFunc(ports, func(p port) bool { return !p.udp && s.Without(service, p.local) })
}

// portsOf makes each port a listener, of those that want one number the one
// that the user moved there.
func portsOf(key discovery.Key, ports []discovery.Port, remaps []Remap) []port {
	var moved, others []port
	for _, p := range ports {
		wanted := port{
			number: number{p.Number, p.UDP}, name: p.Name, app: p.App, remote: p.Number, endpoints: p.Endpoints,
			absent: p.Absent,
		}
		i := slices.IndexFunc(remaps, func(r Remap) bool {
			return r.Service == key && (r.Remote == p.Name || r.Remote == strconv.Itoa(p.Number))
		})
		if i < 0 {
			others = append(others, wanted)
			continue
		}
		wanted.local = remaps[i].Local
		moved = append(moved, wanted)
	}
	all := append(moved, others...)
	slices.SortStableFunc(all, func(a, b port) int {
		return cmp.Or(cmp.Compare(a.local, b.local), cmp.Compare(protocol(a.udp), protocol(b.udp)))
	})
	return slices.CompactFunc(all, func(a, b port) bool { return a.number == b.number })
}
