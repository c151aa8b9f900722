package forwards

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/loopback"
	"github.com/devtun/devtun/tunnel/discovery"
)

// podAddress is where a pod of the headless service web must be.
func podAddress(pod string) netip.Addr {
	return loopback.Address(dns.Key("test", dns.Service{Namespace: "demo", Name: "web", Pod: pod}), 0)
}

// headless is a service whose pods have names.
func headless(pods ...string) *discovery.Service {
	service := serviceOf(portOf(18080, pods...))
	service.Headless = true
	for _, pod := range pods {
		service.Pods = append(service.Pods, discovery.Pod{Hostname: pod, Ports: []discovery.Port{portOf(18080, pod)}})
	}
	return service
}

func TestHeadlessPods(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.apply(services{"web": headless("web-0", "web-1")}))
	require.Equal(t, []string{
		"ready web 18080:18080", "ready web-0.web 18080:18080", "ready web-1.web 18080:18080", "READY 1 services, 3 ports",
	}, w.take())
	require.Equal(t, []string{"web", "web-0.web", "web-1.web"}, w.machine.shortNames())
	for range 3 {
		require.Equal(t, "web-1:18080", w.reach(podAddress("web-1"), 18080), "a pod's name leads to that pod")
	}
	require.Equal(t, "web-0:18080", w.reach(podAddress("web-0"), 18080))
	require.NotEqual(t, w.reach(address("web", 0), 18080), w.reach(address("web", 0), 18080),
		"the service's to each in turn")
	w.take()

	require.NoError(t, w.apply(services{"web": headless("web-0")}))
	require.Equal(t, []string{"gone web-1.web 18080:18080"}, w.take())
	require.Equal(t, []string{"web", "web-0.web"}, w.machine.shortNames())
	w.refuses(podAddress("web-1"), 18080)

	require.NoError(t, w.apply(services{"web": headless()}))
	require.Equal(t, []string{"waiting web 18080:18080", "gone web-0.web 18080:18080"}, w.take())
	require.NoError(t, w.apply(services{"web": nil}))
	require.Equal(t, []string{"gone web 18080:18080"}, w.take())
	require.Empty(t, w.machine.shortNames())
	require.Zero(t, w.machine.held())
}
