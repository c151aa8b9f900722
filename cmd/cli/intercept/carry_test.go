package intercept

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/cmd/cli/carry"
	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/tunnel/discovery"
	"github.com/devtun/devtun/tunnel/proxy"
)

var middle = discovery.Key{Namespace: "demo", Name: "service-middle"}

// holding is an intercept of service-middle with a rule of headers.
func holding(t *testing.T, out output.Writer, headers ...string) *hold {
	t.Helper()
	o := &Options{Match: Match{Headers: headers}, Forward: forward.Settings{Intercepts: new(carry.Intercepts)}}
	require.NoError(t, o.checkMatch())
	found := &target.Target{Namespace: "demo",
		Services: []*corev1.Service{{ObjectMeta: metav1.ObjectMeta{Name: "service-middle"}}}}
	return &hold{Planned: &Planned{
		options: o, Target: found, Events: &Events{Audience: Audience{Out: out}, Target: found},
		Locals: []intercept.Local{{Port: 9090, Address: ":3000"}, {Port: 9091, Address: "elsewhere:3001"}},
	}}
}

// TestWhatIsNotForwarded is a service all of whose requests come here, and of another the
// port that the process on this machine is to have.
func TestWhatIsNotForwarded(t *testing.T) {
	services, ports := holding(t, nil).Left()
	require.Equal(t, []discovery.Key{middle}, services)
	require.Empty(t, ports)
	services, ports = holding(t, nil, "x-tester=7").Left()
	require.Empty(t, services)
	require.Equal(t, map[discovery.Key][]int{middle: {3000}}, ports)
}

// notes keeps what is told.
type notes []output.Note

func (n *notes) Write(e output.Event) { *n = append(*n, e.(output.Note)) }

// TestWhatIsCarriedOn is what the rule has of headers; what cannot be is told once.
func TestWhatIsCarriedOn(t *testing.T) {
	carries := func(h *hold) []proxy.Carried {
		if r := h.options.Forward.Intercepts.Requests(nil, middle, 80); r != nil {
			return r.Carry
		}
		return nil
	}
	told := new(notes)
	h := holding(t, told, "x-tester=7", "baggage~devtun=ann", "x-any~^a")
	i := h.beginCarry()
	require.Equal(t, []proxy.Carried{
		{Name: "x-tester", Value: "7"}, {Name: "baggage", Value: "devtun=ann", List: true},
	}, carries(h))
	require.Equal(t, notes{{
		Message: "what is sent from here does not carry x-any~^a on: a regular expression is no value",
		Hint:    "write --header NAME=VALUE, or --no-carry if that is how it is meant",
	}}, *told)
	i.End()
	require.Empty(t, carries(h))

	h.options.NoCarry = true
	defer h.beginCarry().End()
	require.Empty(t, carries(h))
	require.Len(t, *told, 1)
}
