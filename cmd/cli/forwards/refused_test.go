package forwards

import (
	"errors"
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/tunnel/discovery"
)

// named makes forwards strict about the service.
func named(name string) func(*Options) {
	return func(o *Options) {
		o.Selection.Named = func(key discovery.Key) bool { return key.Name == name }
	}
}

func TestPortInUse(t *testing.T) {
	w := newWorld(t)
	w.machine.busyPorts = []int{19090}
	require.NoError(t,
		w.apply(services{"api": serviceOf(portOf(19090, "api-a")), "web": serviceOf(portOf(18080, "web-a"))}))
	failed := w.events[0].Service
	require.Equal(t, []string{"failed api", "ready web 18080:18080", "READY 1 services, 1 ports"}, w.take())
	require.Contains(t, failed.Reason,
		"listen for demo/api: listen on "+address("api", 0).String()+":19090: address already in use by nginx (pid 7)")
	require.Len(t, failed.Refused, 1)
	require.ErrorIs(t, failed.Refused[0], syscall.EADDRINUSE)
	require.Equal(t, PortEvent{Local: 19090, Remote: 19090, Name: "p19090"}, failed.Refused[0].Port)
	require.Equal(t, []string{"web"}, w.machine.shortNames(), "no name leads where another program listens")
	require.Equal(t, "web-a:18080", w.reach(address("web", 0), 18080))

	w.machine.set(func(m *machine) { m.busyPorts = nil })
	require.NoError(t, w.apply(services{"api": serviceOf(portOf(19090, "api-b"))}))
	require.Equal(t, []string{"ready api 19090:19090"}, w.take(), "it is tried again when the service changes")
	require.Equal(t, []string{"api", "web"}, w.machine.shortNames())
}

func TestOnePortOfSeveralInUse(t *testing.T) {
	w := newWorld(t)
	w.machine.busyPorts = []int{19090}
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080, "web-a"), portOf(19090, "web-a"))}))
	require.Equal(t, []string{"failed web 18080:18080", "READY 1 services, 1 ports"}, w.take())
	require.Equal(t, []string{"web"}, w.machine.shortNames())
	require.Equal(t, "web-a:18080", w.reach(address("web", 0), 18080), "the first port stands, where it should")
}

func TestNamedServiceMustStand(t *testing.T) {
	var listen *dns.ListenError
	var unforwardable *UnforwardableError
	for _, c := range []struct {
		about   string
		break_  func(*machine)
		service *discovery.Service
		want    func(t *testing.T, err error)
	}{
		{"port in use", func(m *machine) { m.busyPorts = []int{18080} }, serviceOf(portOf(18080, "web-a"), portOf(18081)),
			func(t *testing.T, err error) {
				require.ErrorAs(t, err, &listen)
				require.Equal(t, "nginx", listen.Holder.Name)
				require.ErrorIs(t, err, syscall.EADDRINUSE)
			}},
		{"cannot be forwarded", func(*machine) {}, &discovery.Service{Obstacle: "UDP"},
			func(t *testing.T, err error) {
				require.ErrorAs(t, err, &unforwardable)
				require.EqualError(t, err, "service demo/web cannot be forwarded: UDP")
			}},
		{"no address", func(m *machine) { m.failAddress = errors.New("no such interface") }, serviceOf(portOf(18080)),
			func(t *testing.T, err error) {
				require.EqualError(t, err, "add address for service demo/web: no such interface")
			}},
	} {
		t.Run(c.about, func(t *testing.T) {
			w := newWorld(t, named("web"))
			w.machine.set(c.break_)
			err := w.apply(services{"api": serviceOf(portOf(18082)), "web": c.service})
			require.Error(t, err)
			c.want(t, err)
			require.Empty(t, w.take(), "nothing is said to stand")
			require.NotContains(t, w.machine.take(), "names", "nothing is written")
		})
	}
}

// Who has no rights may ask for a service by name that has one low port among others.
func TestNamedServiceMayLackLowPorts(t *testing.T) {
	partly := func(o *Options) { o.Selection.Partly = true }
	web := func() *discovery.Service { return serviceOf(portOf(18080, "web-a"), portOf(18081, "web-a")) }
	lenient := newWorld(t, named("web"), partly)
	lenient.machine.deniedPorts = []int{18080}
	require.NoError(t, lenient.apply(services{"web": web()}))
	require.Equal(t, "web-a:18081", lenient.reach(address("web", 0), 18081))
	require.Equal(t, []string{"failed web 18081:18081", "READY 1 services, 1 ports"}, lenient.take())
	require.NoError(t, lenient.apply(services{"web": nil}))

	for about, c := range map[string]struct {
		adjust []func(*Options)
		break_ func(*machine)
	}{
		"not asked for": {nil, func(m *machine) { m.deniedPorts = []int{18080} }},
		"no other port": {[]func(*Options){partly}, func(m *machine) { m.deniedPorts = []int{18080, 18081} }},
		"another reason as well": {[]func(*Options){partly},
			func(m *machine) { m.deniedPorts, m.busyPorts = []int{18080}, []int{18082} }},
	} {
		w := newWorld(t, append(c.adjust, named("web"))...)
		w.machine.set(c.break_)
		service := web()
		if about != "no other port" {
			service.Ports = append(service.Ports, portOf(18082))
		}
		var refused *PortError
		require.ErrorAs(t, w.apply(services{"web": service}), &refused, about)
		require.Equal(t, 18080, refused.Port.Local)
	}
}

func TestNamedServiceMayFailLater(t *testing.T) {
	w := newWorld(t, named("web"))
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080))}))
	w.take()
	w.machine.set(func(m *machine) { m.busyPorts = []int{18081} })
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080), portOf(18081))}))
	require.Equal(t, []string{"failed web 18080:18080"}, w.take())
	require.NoError(t, w.apply(services{"web": {Obstacle: "UDP"}}))
	require.Equal(t, []string{"gone web 18080:18080", "skipped web"}, w.take())
}

func TestBusyAddressIsLeft(t *testing.T) {
	for busy := range addressTries {
		w := newWorld(t)
		for n := range busy {
			w.machine.busyAddrs = append(w.machine.busyAddrs, address("web", n))
		}
		require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080, "web-a"))}))
		require.Equal(t, []string{"ready web 18080:18080", "READY 1 services, 1 ports"}, w.take())
		require.Equal(t, "web-a:18080", w.reach(address("web", busy), 18080), "the next choice that is free, of %d", busy+1)
		require.Equal(t, []hostsfile.Entry{{Addr: address("web", busy), Names: w.machine.names[0].Names}}, w.machine.names)
		require.Equal(t, 1, w.machine.held(), "those tried are given back")
		for n := range busy {
			requireFree(t, w, address("web", n))
		}
	}
}

// requireFree asserts that another session may lease addr.
func requireFree(t *testing.T, w *world, addr netip.Addr) {
	t.Helper()
	other := w.openLeases()
	free, err := other.Take(addr)
	require.NoError(t, err)
	require.True(t, free, addr)
	require.NoError(t, other.Release(addr))
}

func TestAnotherSessionsAddressIsLeft(t *testing.T) {
	w := newWorld(t)
	taken, err := w.openLeases().Take(address("web", 0))
	require.NoError(t, err)
	require.True(t, taken)
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080, "web-a"))}))
	require.Equal(t, "web-a:18080", w.reach(address("web", 1), 18080))
}

func TestNoAddressAtAll(t *testing.T) {
	w := newWorld(t)
	w.machine.failAddress = errors.New("no such interface")
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080))}))
	require.Equal(t,
		[]string{"warning: add address for service demo/web: no such interface", "READY 0 services, 0 ports"}, w.take())
	requireFree(t, w, address("web", 0))
}
