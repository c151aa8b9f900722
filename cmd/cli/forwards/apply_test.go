package forwards

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
)

// services are a cluster's services by name.
type services = map[string]*discovery.Service

func TestFirstApply(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.apply(services{
		"web":   serviceOf(portOf(18080, "web-a"), portOf(19090, "web-a")),
		"api":   serviceOf(portOf(18080)),
		"alias": {Obstacle: "it is an alias"},
	}))
	require.Equal(t, []string{
		"skipped alias", "waiting api 18080:18080", "ready web 18080:18080 19090:19090", "READY 2 services, 3 ports",
	}, w.take(), "by name, and the last word when all stands")
	require.Equal(t, []string{"api", "web"}, w.machine.shortNames())

	calls := w.machine.take()
	require.Equal(t, 3, len(slices.DeleteFunc(slices.Clone(calls), func(c string) bool { return c != "listen" })))
	require.Equal(t, len(calls)-1, slices.Index(calls, "names"), "names once, and after all listeners: %v", calls)

	require.Equal(t, "web-a:18080", w.reach(address("web", 0), 18080))
	require.Equal(t, "web-a:19090", w.reach(address("web", 0), 19090))
}

func TestEventSaysAll(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080, "web-a", "web-b"))}))
	w.mu.Lock()
	service, ready, pods := w.events[0].Service, w.events[1].Ready, w.ready
	w.mu.Unlock()
	use := service.Use
	require.Equal(t, &ServiceEvent{
		Use: use, State: Ready, Service: discovery.Key{Namespace: "demo", Name: "web"}, Address: address("web", 0).String(),
		Names: []string{"web", "web.demo", "web.demo.svc", "web.demo.svc.cluster.local"},
		Ports: []PortEvent{{Local: 18080, Remote: 18080, Name: "p18080"}}, Pods: 2,
	}, service)
	require.Positive(t, ready.Took)
	require.Equal(t, []string{"web-a", "web-b"}, pods)

	open := w.dial(address("web", 0), 18080)
	said := len(open.line() + "\n")
	require.Equal(t, []int{1, 1}, []int{use.Open(), use.Total()})
	require.Eventually(t, func() bool { return use.Traffic() == tunnel.Traffic{Received: int64(said)} }, timeout, step,
		"while it is open")
	require.NoError(t, open.conn.Close())
	require.Eventually(t, func() bool { return use.Open() == 0 }, timeout, step)
	require.Equal(t, 1, use.Total())
}

func TestNothingThereIsReady(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.apply(nil))
	require.Equal(t, []string{"READY 0 services, 0 ports"}, w.take())
	require.NoError(t, w.apply(nil))
	require.Empty(t, w.take(), "it is said once")
	require.Empty(t, w.machine.take(), "and nothing is written for it")
}

func TestNewChangedAndGone(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080, "web-a"))}))
	w.take()

	require.NoError(t, w.apply(services{"api": serviceOf(portOf(18080, "api-a"))}))
	require.Equal(t, []string{"ready api 18080:18080"}, w.take())
	require.Equal(t, []string{"api", "web"}, w.machine.shortNames())
	require.Equal(t, "api-a:18080", w.reach(address("api", 0), 18080))

	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18081, "web-a"))}))
	require.Equal(t, []string{"ready web 18081:18081"}, w.take())
	w.refuses(address("web", 0), 18080)
	require.Equal(t, "web-a:18081", w.reach(address("web", 0), 18081))

	require.NoError(t, w.apply(services{"web": nil}))
	require.Equal(t, []string{"gone web 18081:18081"}, w.take())
	w.refuses(address("web", 0), 18081)
	require.Equal(t, []string{"api"}, w.machine.shortNames())
	require.Equal(t, 1, w.machine.held())

	require.NoError(t, w.apply(services{"web": nil, "never": nil}))
	require.Empty(t, w.take())
}

func TestEndpointsChange(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080, "web-a"))}))
	require.Equal(t, "web-a:18080", w.reach(address("web", 0), 18080))
	w.take()
	w.machine.take()

	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080, "web-b", "web-c"))}))
	require.Empty(t, w.take(), "how many pods there are is no news of the service")
	require.Equal(t, []string{"web-b", "web-c"}, w.ready)
	open := w.dial(address("web", 0), 18080)
	pod := open.line()
	require.Contains(t, []string{"web-b:18080", "web-c:18080"}, pod)

	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080))}))
	require.Equal(t, []string{"waiting web 18080:18080"}, w.take())
	held := w.dial(address("web", 0), 18080)

	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080, "web-d"))}))
	require.Equal(t, []string{"ready web 18080:18080"}, w.take())
	require.Equal(t, "web-d:18080", held.line(), "the connection was held until there was a pod")
	fmt.Fprintln(open.conn, "still here")
	require.Equal(t, "still here", open.line(), "a connection outlives its pod's readiness")
	require.NoError(t, held.conn.Close())
	require.NoError(t, open.conn.Close())
	require.Empty(t, w.machine.take(), "address, listeners and names stay through all of it")
}

func TestObstacleComesAndGoes(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080, "web-a"))}))
	w.take()
	require.NoError(t, w.apply(services{"web": {Obstacle: "UDP"}}))
	require.Equal(t, []string{"gone web 18080:18080", "skipped web"}, w.take())
	require.Empty(t, w.machine.shortNames())
	require.NoError(t, w.apply(services{"web": {Obstacle: "UDP"}}))
	require.Empty(t, w.take(), "said once")
	require.NoError(t, w.apply(services{"web": {Obstacle: "no ports"}}))
	require.Equal(t, []string{"skipped web"}, w.take(), "another reason is news")
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080, "web-a"))}))
	require.Equal(t, []string{"ready web 18080:18080"}, w.take())
	require.Equal(t, "web-a:18080", w.reach(address("web", 0), 18080))
}

func TestUnwantedIsAsGoodAsNotThere(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Selection.Wanted = func(key discovery.Key) bool { return key.Name == "web" } })
	require.NoError(t,
		w.apply(services{"web": serviceOf(portOf(18080)), "api": serviceOf(portOf(18080)),
			"alias": {Obstacle: "it is an alias"}}))
	require.Equal(t, []string{"waiting web 18080:18080", "READY 1 services, 1 ports"}, w.take())
	require.NoError(t, w.apply(services{"api": nil, "alias": serviceOf(portOf(18080))}))
	require.Empty(t, w.take())
}

func TestRemap(t *testing.T) {
	w := newWorld(t, func(o *Options) {
		o.Selection.Remaps = []Remap{{discovery.Key{Namespace: "demo", Name: "web"}, 18088, "p80"}}
	})
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(80, "web-a"))}))
	require.Equal(t, []string{"ready web 18088:80", "READY 1 services, 1 ports"}, w.take())
	require.Equal(t, "web-a:80", w.reach(address("web", 0), 18088))
}

func TestAnotherSelection(t *testing.T) {
	w := newWorld(t)
	all := services{
		"web": serviceOf(portOf(18080, "web-a")), "api": serviceOf(portOf(18080, "api-a")),
		"alias": {Obstacle: "it is an alias"},
	}
	require.NoError(t, w.apply(all))
	w.take()
	held := w.dial(address("web", 0), 18080)
	require.Equal(t, "web-a:18080", held.line())
	selected := func(names ...string) Selection {
		return Selection{
			Wanted: func(key discovery.Key) bool { return slices.Contains(names, key.Name) },
			Named:  func(key discovery.Key) bool { return key.Name == "alias" },
			Remaps: []Remap{{Service: discovery.Key{Namespace: "demo", Name: "new"}, Local: 18081, Remote: "18080"}},
		}
	}
	all["new"] = serviceOf(portOf(18080, "new-a"))
	require.NoError(t, w.choose(selected("web", "new"), all))
	require.Equal(t, []string{"gone alias", "gone api 18080:18080", "ready new 18081:18080"}, w.take(),
		"of what stays there is no news")
	require.Equal(t, []string{"new", "web"}, w.machine.shortNames())
	fmt.Fprintln(held.conn, "still there")
	require.Equal(t, "still there", held.line())
	require.Equal(t, "new-a:18080", w.reach(address("new", 0), 18081))

	var unforwardable *UnforwardableError
	require.ErrorAs(t, w.choose(selected("web", "alias"), all), &unforwardable)
	require.Equal(t, []string{"gone new 18081:18080", "skipped alias"}, w.take())
	require.Equal(t, []string{"web"}, w.machine.shortNames())
	require.NoError(t, held.conn.Close())
}
