package forwards

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/internal/proc"
	"github.com/devtun/devtun/tunnel/discovery"
)

var errFull = errors.New("disk full")

func TestNamesFailAtTheStart(t *testing.T) {
	w := newWorld(t)
	w.machine.failNames = errFull
	err := w.apply(services{"web": serviceOf(portOf(18080))})
	require.ErrorIs(t, err, errFull)
	require.EqualError(t, err, "write names: disk full")
	require.Empty(t, w.take(), "nothing is said to stand")
	w.machine.take()

	w.machine.set(func(m *machine) { m.failNames = nil })
	require.NoError(t, w.forwards.Close(t.Context()))
	require.Contains(t, w.machine.take(), "names", "some may have been written all the same")
	w.refuses(address("web", 0), 18080)
}

func TestNothingIsToldOfTheEnd(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080))}))
	w.take()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.machine.set(func(m *machine) { m.failNames = ctx.Err() })
	require.ErrorIs(t, w.forwards.Apply(ctx, discovery.Changes{{Namespace: "demo", Name: "web"}: nil}), context.Canceled)
	require.Empty(t, w.take())
	w.machine.set(func(m *machine) { m.failNames = nil })
}

func TestNamesFailLater(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080))}))
	w.take()
	w.machine.set(func(m *machine) { m.failNames = errFull })
	require.NoError(t, w.apply(services{"api": serviceOf(portOf(18080))}))
	require.Equal(t, []string{"waiting api 18080:18080", "warning: write names: disk full"}, w.take())
	require.Equal(t, []string{"web"}, w.machine.shortNames())

	w.machine.set(func(m *machine) { m.failNames = nil })
	require.NoError(t, w.apply(nil))
	require.Equal(t, []string{"api", "web"}, w.machine.shortNames(), "the next change brings them")
}

func TestNamesAreWrittenOnlyWhenTheyChange(t *testing.T) {
	w := newWorld(t)
	require.NoError(t,
		w.apply(services{"web": serviceOf(portOf(18080)), "api": serviceOf(portOf(18080)), "db": serviceOf(portOf(18080))}))
	require.Contains(t, w.machine.take(), "names")
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18081)), "api": serviceOf(portOf(18080, "api-a"))}))
	require.NotContains(t, w.machine.take(), "names", "another port, a pod: the names are as before")
	require.NoError(t, w.apply(services{"web": nil, "api": nil}))
	calls := w.machine.take()
	require.Equal(t, "names", calls[len(calls)-1])
	require.Equal(t, 1, countOf(calls, "names"), "two services gone, one write")
}

func countOf(calls []string, call string) int {
	n := 0
	for _, c := range calls {
		if c == call {
			n++
		}
	}
	return n
}

func TestForeignChangesAreTold(t *testing.T) {
	w := newWorld(t)
	w.machine.report = hostsfile.Report{Saved: []string{"/etc/hosts.saved"}}
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080))}))
	require.Equal(t, "warning: another program's change to the hosts file was kept in /etc/hosts.saved", w.take()[0])
}

// A service none of whose ports may be listened on has its names: to be refused here is
// better than to be answered by another session's cluster.
func TestNamesOfWhatCannotBeReached(t *testing.T) {
	w := newWorld(t)
	w.machine.deniedPorts = []int{18080}
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080, "web-a"))}))
	require.Equal(t, []string{"failed web", "READY 0 services, 0 ports"}, w.take())
	require.Equal(t, []hostsfile.Entry{{Addr: address("web", 0), Names: w.machine.names[0].Names}}, w.machine.names)
	require.Equal(t, "web", w.machine.names[0].Names[0])
	w.refuses(address("web", 0), 18080)
	require.NoError(t, w.apply(services{"web": nil}))
	require.Empty(t, w.machine.shortNames())
}

func TestSharedNamesAreTold(t *testing.T) {
	one, two := proc.ID{PID: 1}, proc.ID{PID: 2}
	w := newWorld(t)
	w.machine.report = hostsfile.Report{Duplicates: []hostsfile.Duplicate{{Owner: one, Names: []string{"web"}}}}
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080))}))
	require.Equal(t, "warning: another devtun (pid 1) serves the same names: web: programs may reach either",
		w.take()[0])

	w.forwards.NamesShared([]hostsfile.Duplicate{{Owner: one, Names: []string{"web"}}})
	require.Empty(t, w.take(), "it is said once")
	w.forwards.NamesShared([]hostsfile.Duplicate{{Owner: one, Names: []string{"web"}},
		{Owner: two, Names: []string{"a", "b", "c", "d", "e"}}})
	require.Equal(t,
		[]string{"warning: another devtun (pid 2) serves the same names: a, b, c and 2 more: " +
			"programs may reach either"}, w.take())
	w.forwards.NamesShared([]hostsfile.Duplicate{{Owner: two, Names: []string{"a", "b"}}})
	require.Equal(t, []string{"warning: the other devtun (pid 1) has given these names up: web"}, w.take())
	w.forwards.NamesShared([]hostsfile.Duplicate{{Owner: two, Names: []string{"a", "f"}}})
	require.Equal(t,
		[]string{"warning: another devtun (pid 2) serves the same names: a, f: programs may reach either"}, w.take(),
		"more of them")
}

func TestTakenNamesStayWhatTheyAre(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Naming.Taken = []string{"web", "web.demo.svc"} })
	require.NoError(t,
		w.apply(services{"web": serviceOf(portOf(18080, "web-a")), "api": serviceOf(portOf(18080, "api-a"))}))
	require.Equal(t, []string{
		"warning: service demo/web does not get the name web: by that name this machine reaches an API server or a proxy",
		"warning: service demo/web does not get the name web.demo.svc: by that name this machine reaches an API server or " +
			"a proxy",
		"ready api 18080:18080", "ready web 18080:18080", "READY 2 services, 2 ports",
	}, w.take())
	require.Equal(t, []string{"api", "web.demo"}, w.machine.shortNames())
}

func TestAServiceMayBeLeftWithoutNames(t *testing.T) {
	w := newWorld(t, func(o *Options) {
		o.Naming.Taken = []string{"web", "web.demo", "web.demo.svc", "web.demo.svc.cluster.local"}
	})
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080, "web-a"))}))
	require.Empty(t, w.machine.shortNames())
	require.Equal(t, "web-a:18080", w.reach(address("web", 0), 18080))
}
