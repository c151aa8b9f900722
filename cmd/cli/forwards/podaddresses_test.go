package forwards

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/loopback"
	"github.com/devtun/devtun/internal/proc"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
)

// Addresses of pods in these tests: of loopback, so that one can listen there.
var (
	firstPod  = netip.MustParseAddr("127.44.0.1")
	secondPod = netip.MustParseAddr("127.44.0.2")
	movedPod  = netip.MustParseAddr("127.44.0.9")
)

// newPodWorld is a world of forwards with pods' addresses.
func newPodWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, func(o *Options) { o.PodAddresses = true })
	w.forwards.pods.check = func(netip.Addr) error { return nil }
	return w
}

// hosted is a service's port 6379 that leads to pods' port 6380, each "NAME ADDRESS".
func hosted(pods ...string) *discovery.Service {
	p := discovery.Port{Name: "redis", Number: 6379}
	for _, pod := range pods {
		name, address, _ := strings.Cut(pod, " ")
		p.Endpoints = append(p.Endpoints, tunnel.Endpoint{
			Pod: tunnel.Pod{Namespace: "demo", Name: name}, Host: address, Port: 6380,
		})
	}
	return serviceOf(p)
}

func pod(name string, addr netip.Addr) string { return fmt.Sprintf("%s %s", name, addr) }

func TestPodAddressesLeadToTheirPods(t *testing.T) {
	w := newPodWorld(t)
	require.NoError(t, w.apply(map[string]*discovery.Service{
		"redis": hosted(pod("redis-0", firstPod), pod("redis-1", secondPod)),
	}))
	require.Equal(t, []string{"ready redis 6379:6379", "READY 1 services, 1 ports"}, w.take())
	for range 3 { // not in turn
		require.Equal(t, "redis-0:6380", w.reach(firstPod, 6380))
		require.Equal(t, "redis-1:6380", w.reach(secondPod, 6380))
	}
	w.refuses(firstPod, 6379)
	require.Equal(t, 3, w.machine.held())
	require.Equal(t, []string{"redis"}, w.machine.shortNames(), "addresses have no names")

	// A pod that is made anew has another address, and its old one is nobody's.
	require.NoError(t, w.apply(map[string]*discovery.Service{
		"redis": hosted(pod("redis-0", movedPod), pod("redis-1", secondPod)),
	}))
	require.Equal(t, "redis-0:6380", w.reach(movedPod, 6380))
	w.refuses(firstPod, 6380)
	require.Equal(t, 3, w.machine.held())

	// Another pod may come to have the address of one that is gone.
	require.NoError(t, w.apply(map[string]*discovery.Service{
		"redis": hosted(pod("redis-2", movedPod), pod("redis-1", secondPod)),
	}))
	require.Equal(t, "redis-2:6380", w.reach(movedPod, 6380))

	require.NoError(t, w.apply(map[string]*discovery.Service{"redis": nil}))
	w.refuses(movedPod, 6380)
	require.Zero(t, w.machine.held())
}

// Two services with the same pods have one address for each, until both are gone.
func TestPodAddressesOfSeveralServices(t *testing.T) {
	w := newPodWorld(t)
	both := func() *discovery.Service { return hosted(pod("redis-0", firstPod)) }
	metrics := both()
	metrics.Ports[0].Endpoints[0].Port = 9121
	require.NoError(t, w.apply(map[string]*discovery.Service{"redis": both(), "redis-nodes": both(), "metrics": metrics}))
	require.Equal(t, "redis-0:6380", w.reach(firstPod, 6380))
	require.Equal(t, "redis-0:9121", w.reach(firstPod, 9121))
	open := w.dial(firstPod, 6380)
	require.Equal(t, "redis-0:6380", open.line())
	require.NoError(t, w.apply(map[string]*discovery.Service{"redis": nil, "metrics": nil}))
	fmt.Fprintln(open.conn, "still here")
	require.Equal(t, "still here", open.line(), "a connection lasts as long as its address")
	require.NoError(t, open.conn.Close())
	require.Equal(t, "redis-0:6380", w.reach(firstPod, 6380))
	w.refuses(firstPod, 9121)
	require.NoError(t, w.choose(Selection{
		Wanted: func(k discovery.Key) bool { return k.Name == "metrics" },
		Named:  func(discovery.Key) bool { return false },
	}, map[string]*discovery.Service{"redis-nodes": both(), "metrics": metrics}))
	w.refuses(firstPod, 6380)
	require.Equal(t, "redis-0:9121", w.reach(firstPod, 9121))
}

func TestNoPodAddressesUnlessAskedFor(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.apply(map[string]*discovery.Service{"redis": hosted(pod("redis-0", firstPod))}))
	require.Equal(t, 1, w.machine.held())
	w.refuses(firstPod, 6380)
}

// What is no pod, and a pod whose address is not known, have none.
func TestOnlyPodsHaveAddresses(t *testing.T) {
	service := hosted("redis-0 ", " db.internal", " "+firstPod.String(), pod("redis-1", secondPod))
	targets := podTargetsOf(service)
	require.Len(t, targets, 1)
	require.Equal(t, secondPod, targets[0].addr)
	require.Equal(t, "redis-1", targets[0].service.Pod)
}

// A refusal is told once when it begins and once when it is over, and keeps nothing
// else from standing.
func TestARefusedPodAddress(t *testing.T) {
	w := newPodWorld(t)
	w.machine.set(func(m *machine) {
		m.refuse = map[netip.Addr]error{
			firstPod: &loopback.HeldError{Addr: firstPod, Owner: proc.ID{PID: 77}},
			movedPod: &loopback.HeldError{Addr: movedPod, Owner: proc.ID{PID: 77}},
		}
	})
	service := hosted(pod("redis-0", firstPod), pod("redis-1", secondPod), pod("redis-2", movedPod))
	require.NoError(t, w.apply(map[string]*discovery.Service{"redis": service}))
	require.Equal(t, []string{"ready redis 6379:6379",
		"warning: without the pod addresses 127.44.0.1, 127.44.0.9: another devtun (pid 77) has them",
		"READY 1 services, 1 ports"}, w.take())
	require.Equal(t, "redis-1:6380", w.reach(secondPod, 6380))
	w.forwards.Retry(t.Context())
	require.Empty(t, w.take())

	w.machine.set(func(m *machine) { m.refuse = nil })
	w.forwards.Retry(t.Context())
	require.Equal(t, []string{
		"warning: no pod address is left out any more for this: another devtun (pid 77) has them"}, w.take())
	require.Equal(t, "redis-0:6380", w.reach(firstPod, 6380))
	require.Equal(t, "redis-1:6380", w.reach(secondPod, 6380))
}

// Who has a port on all addresses must not be taken for the pod.
func TestAPodAddressThatAnotherProgramWouldAnswer(t *testing.T) {
	w := newPodWorld(t)
	w.machine.set(func(m *machine) { m.busyPorts = []int{6380} })
	require.NoError(t, w.apply(map[string]*discovery.Service{"redis": hosted(pod("redis-0", firstPod))}))
	require.Equal(t, []string{"ready redis 6379:6379",
		"warning: without the pod addresses 127.44.0.1: nginx (pid 7) listens on port 6380 of all addresses",
		"READY 1 services, 1 ports"}, w.take())
	require.Equal(t, 1, w.machine.held())
}

func TestRefusalsOfPodAddresses(t *testing.T) {
	at := netip.MustParseAddr("10.244.1.5")
	route := loopback.Route{Prefix: netip.MustParsePrefix("10.244.0.0/16"), Device: "tun0"}
	for want, err := range map[string]error{
		"this machine has a route of its own to them, 10.244.0.0/16 by tun0": &loopback.RouteError{Addr: at, Route: route},
		"they are addresses of this machine (eth0)": &loopback.RouteError{Addr: at,
			Route: loopback.Route{Prefix: netip.PrefixFrom(at, 32), Device: "eth0", Local: true}},
		"only root may add addresses to this machine, and listen on ports below 1024": syscall.EACCES,
		"devtun cannot add addresses on this system":                                  errors.ErrUnsupported,
		"another program listens on port 80 of all addresses": &dns.ListenError{
			Addr: netip.AddrPortFrom(at, 80), Err: syscall.EADDRINUSE},
		"programs here are connected to them": &loopback.UsedError{Addr: at},
		"no idea":                             errors.New("no idea"),
	} {
		why := refusalOf(fmt.Errorf("add address: %w", err))
		require.Contains(t, why.reason, want)
		require.NotEmpty(t, why.hint)
	}
}

// Pods in the network of a node have its address, and the API server may too.
func TestNoAddressOfTheAPIServer(t *testing.T) {
	w := newPodWorld(t)
	w.forwards.options.Naming.Taken = []string{firstPod.String(), "api.example.org"}
	require.NoError(t, w.apply(map[string]*discovery.Service{"redis": hosted(pod("redis-0", firstPod))}))
	require.Equal(t, []string{"ready redis 6379:6379",
		"warning: without the pod addresses 127.44.0.1: by them this machine reaches an API server or a proxy",
		"READY 1 services, 1 ports"}, w.take())
	require.Equal(t, 1, w.machine.held())
}

// A pod that is not ready, or on its way out, has its address until no EndpointSlice has.
func TestPodAddressesOfPodsThatAreNotReady(t *testing.T) {
	w := newPodWorld(t)
	service := hosted(pod("redis-0", firstPod), pod("redis-1", secondPod))
	require.NoError(t, w.apply(map[string]*discovery.Service{"redis": service}))
	unready := hosted(pod("redis-1", secondPod))
	unready.Ports[0].Unready = hosted(pod("redis-0", firstPod)).Ports[0].Endpoints
	before := w.machine.held()
	require.NoError(t, w.apply(map[string]*discovery.Service{"redis": unready}))
	require.Equal(t, before, w.machine.held())
	require.Equal(t, "redis-0:6380", w.reach(firstPod, 6380))
}

func TestNoPublicPodAddresses(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.PodAddresses = true })
	require.NoError(t, w.apply(map[string]*discovery.Service{
		"redis": hosted("redis-0 203.0.113.5", pod("redis-1", firstPod)),
	}))
	require.Equal(t, []string{"ready redis 6379:6379", "warning: without the pod addresses 127.44.0.1, 203.0.113.5: " +
		"they are of no private range, and may be somebody's on the internet", "READY 1 services, 1 ports"}, w.take())
	require.Equal(t, 1, w.machine.held())
}

// The end of devtun takes them all along.
func TestPodAddressesEnd(t *testing.T) {
	w := newPodWorld(t)
	require.NoError(t, w.apply(map[string]*discovery.Service{"redis": hosted(pod("redis-0", firstPod))}))
	c := w.dial(firstPod, 6380)
	require.Equal(t, "redis-0:6380", c.line())
	require.NoError(t, w.forwards.Close(context.Background()))
	require.Zero(t, w.machine.held())
	w.refuses(firstPod, 6380)
	require.NoError(t, c.conn.Close())
}
