package forwards

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
)

// TestPortsThatAreLeftOut are not listened on, and what has no others is not forwarded.
func TestPortsThatAreLeftOut(t *testing.T) {
	w := newWorld(t)
	everything := map[string]*discovery.Service{
		"web": serviceOf(portOf(28080, "web-0"), portOf(28081, "web-0")), "db": serviceOf(portOf(28080, "db-0")),
	}
	require.NoError(t, w.apply(everything))
	require.Equal(t, []string{"ready db 28080:28080", "ready web 28080:28080 28081:28081", "READY 2 services, 3 ports"},
		w.take())
	all := w.forwards.options.Selection
	some := all
	some.Without = func(_ discovery.Key, local int) bool { return local == 28080 }
	require.NoError(t, w.choose(some, everything))
	require.Equal(t, []string{"gone db 28080:28080", "ready web 28081:28081"}, w.take())
	require.Equal(t, "web-0:28081", w.reach(address("web", 0), 28081))
	w.refuses(address("web", 0), 28080)

	some.Remaps = []Remap{{discovery.Key{Namespace: "demo", Name: "db"}, 28090, "28080"}}
	require.NoError(t, w.choose(some, everything))
	require.Equal(t, []string{"ready db 28090:28080"}, w.take(), "it is about the number here")
	require.NoError(t, w.choose(all, everything))
	require.Equal(t, "db-0:28080", w.reach(address("db", 0), 28080))
}

// TestRequestsAreAskedAfterByTheServicesPort, at each connection.
func TestRequestsAreAskedAfterByTheServicesPort(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	web := discovery.Key{Namespace: "demo", Name: "web"}
	w := newWorld(t, func(o *Options) {
		o.Selection.Remaps = []Remap{{web, 28090, "28080"}}
		o.Requests = func(service discovery.Key, port int) *tunnel.Requests {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, fmt.Sprintf("%s:%d", service.Name, port))
			return nil
		}
	})
	everything := map[string]*discovery.Service{"web": serviceOf(portOf(28080, "web-0"), portOf(28081, "web-0"))}
	require.NoError(t, w.apply(everything))
	w.reach(address("web", 0), 28090)
	selection := w.forwards.options.Selection
	selection.Remaps = []Remap{{web, 28090, "28081"}}
	require.NoError(t, w.choose(selection, everything))
	w.reach(address("web", 0), 28090)
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []string{"web:28080", "web:28081"}, slices.Compact(asked))
}

// TestRequestsAreTold of a forward, and of connections that are none of HTTP's; without
// being read none is.
func TestRequestsAreTold(t *testing.T) {
	told := make(chan *RequestEvent, 10)
	server := web(t, "web", nil)
	var dial = dialTo(map[string]*httptest.Server{"web-0": server})
	for _, tells := range []bool{true, false} {
		w := newWorld(t, func(o *Options) {
			tell := o.Tell
			o.Reading = &Reading{}
			if tells {
				o.Reading.Add(discovery.Key{Namespace: "demo", Name: "web"})
				o.Reading.Add(discovery.Key{Namespace: "demo", Name: "db"})
			}
			o.Tell = func(e Event) {
				if e.Request != nil {
					told <- e.Request
					return
				}
				tell(e)
			}
			echo := o.Dial
			o.Dial = func(ctx context.Context, to tunnel.Endpoint) (tunnel.Conn, error) {
				if to.Pod.Name == "web-0" {
					return dial(ctx, to)
				}
				return echo(ctx, to)
			}
		})
		require.NoError(t, w.apply(map[string]*discovery.Service{
			"web": serviceOf(portOf(28080, "web-0")), "db": serviceOf(portOf(28080, "db-0")),
		}))
		require.Equal(t, "web[]", fetch(netip.AddrPortFrom(address("web", 0), 28080).String(), nil))
		require.Equal(t, "db-0:28080", w.reach(address("db", 0), 28080))
		if !tells {
			require.Empty(t, told)
			return
		}
		got := []*RequestEvent{<-told, <-told}
		slices.SortFunc(got, func(a, b *RequestEvent) int { return strings.Compare(a.Endpoint, b.Endpoint) })
		require.Equal(t, "other connection", got[0].What())
		require.Equal(t, "db-0", got[0].Endpoint)
		r := got[1]
		require.Equal(t, "GET /", r.What())
		require.Equal(t, "200", r.Outcome(), r.Error)
		require.Equal(t, []any{"web", "web-0", 28080}, []any{r.Service.Name, r.Endpoint, r.Port})
		require.Empty(t, r.RequestHeader)
		require.NoError(t, w.forwards.Close(t.Context()))
	}
}
