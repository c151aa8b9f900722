package forwards

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRetryTakesAPortThatIsFreeAgain(t *testing.T) {
	w := newWorld(t)
	w.machine.busyPorts = []int{19090}
	require.NoError(t,
		w.apply(services{"api": serviceOf(portOf(19090, "api-a")), "web": serviceOf(portOf(18080), portOf(19090))}))
	require.Equal(t, []string{"failed api", "failed web 18080:18080", "READY 1 services, 1 ports"}, w.take())
	w.machine.take()

	for range 3 {
		w.forwards.Retry(t.Context())
		require.Empty(t, w.take(), "nothing has changed, nothing is told")
	}
	require.NotContains(t, w.machine.take(), "names")
	require.Equal(t, 2, w.machine.held())

	w.machine.set(func(m *machine) { m.busyPorts = nil })
	w.forwards.Retry(t.Context())
	require.ElementsMatch(t, []string{"ready api 19090:19090", "waiting web 18080:18080 19090:19090"}, w.take())
	require.Equal(t, []string{"api", "web"}, w.machine.shortNames())
	require.Equal(t, "api-a:19090", w.reach(address("api", 0), 19090), "where it should have been")

	w.machine.take()
	w.forwards.Retry(t.Context())
	require.Empty(t, w.machine.take(), "there is nothing left to try")
}

func TestRetryWritesNames(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080))}))
	w.machine.set(func(m *machine) { m.failNames, m.busyPorts = errFull, []int{19090} })
	require.NoError(t, w.apply(services{"api": serviceOf(portOf(18080)), "db": serviceOf(portOf(19090))}))
	w.take()
	w.machine.set(func(m *machine) { m.busyPorts = nil })
	w.forwards.Retry(t.Context())
	require.Equal(t, []string{"waiting db 19090:19090"}, w.take(), "that the names still fail was told")
	w.machine.set(func(m *machine) { m.failNames = nil })
	w.forwards.Retry(t.Context())
	require.Empty(t, w.take())
	require.Equal(t, []string{"api", "db", "web"}, w.machine.shortNames())
}

func TestRetryBeforeTheStartAndAfterTheEnd(t *testing.T) {
	w := newWorld(t, named("web"))
	w.machine.busyPorts = []int{18080}
	w.forwards.Retry(t.Context())
	require.Error(t, w.apply(services{"web": serviceOf(portOf(18080))}))
	w.machine.take()
	w.forwards.Retry(t.Context())
	require.NoError(t, w.forwards.Close(t.Context()))
	w.machine.take()
	w.forwards.Retry(t.Context())
	require.Empty(t, w.machine.take())
	require.Empty(t, w.take())
}
