package forwards

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/dns/hostsfile"
)

func TestLostNamesArePutBack(t *testing.T) {
	w := newWorld(t)
	w.forwards.NamesLost(t.Context()) // there are none yet
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080, "web-a"))}))
	w.take()

	w.machine.set(func(m *machine) { m.names = nil })
	w.forwards.NamesLost(t.Context())
	require.Equal(t, []string{"web"}, w.machine.shortNames())
	require.Equal(t, []string{"warning: another program took devtun's names out of the hosts file; they are back"},
		w.take())
}

func TestLostNamesThatCannotBePutBackYet(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080, "web-a"))}))
	w.take()

	w.machine.set(func(m *machine) { m.names, m.failNames = nil, syscall.EROFS })
	w.forwards.NamesLost(t.Context())
	require.Equal(t,
		[]string{"warning: another program took devtun's names out of the hosts file, and they cannot be put back yet: " +
			"write names: read-only file system"}, w.take())
	w.forwards.Retry(t.Context())
	require.Empty(t, w.take(), "it is said once")

	w.machine.set(func(m *machine) { m.failNames = nil })
	w.forwards.Retry(t.Context())
	require.Equal(t, []string{"web"}, w.machine.shortNames())
	require.Equal(t, []string{"warning: devtun's names are in the hosts file again"}, w.take())
}

func TestConflictsAreToldOnce(t *testing.T) {
	w := newWorld(t)
	w.machine.report.Conflicts = []hostsfile.Conflict{{Name: "web", Addr: "10.0.0.1", Line: 3}}
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080, "web-a"))}))
	require.Contains(t, w.take(),
		"warning: the hosts file gives web the address 10.0.0.1 too (line 3 without devtun's own): some programs may go "+
			"there")
	require.NoError(t, w.apply(services{"api": serviceOf(portOf(18081, "api-a"))}))
	require.Equal(t, []string{"ready api 18081:18081"}, w.take())
}
