package live

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/status"
)

var update = flag.Bool("update", false, "write testdata anew")

// shop is a session of twelve services, of which two wait and three are not forwarded, and
// of an intercept with a rule.
func shop() status.Snapshot {
	s := snapshot()
	s.Services = nil
	for n, name := range []string{"api", "billing", "cart", "catalog", "checkout", "frontend-web", "inventory",
		"payments", "recommendations", "search", "service-back", "service-front"} {
		service := status.Service{
			Namespace: "demo", Service: name, State: "ready", Address: fmt.Sprintf("127.143.157.%d", 20+n),
			Names: []string{name, name + ".demo"}, Ports: []status.Port{{Local: 80, Port: 80}}, Pods: 2,
			Endpoints: []string{name + "-7d4b9-a", name + "-7d4b9-b"},
		}
		switch name {
		case "billing", "payments":
			service.State, service.Reason, service.Pods, service.Endpoints = "waiting", "no ready pod", 0, nil
		case "cart", "catalog", "frontend-web":
			service.State, service.Reason, service.Address = "skipped", "it is an alias of "+name+".example.org", ""
			service.Names, service.Ports = nil, nil
		case "search":
			failed := noon.Add(-90 * time.Second)
			service.LastErrorAt = &failed
			service.LastError = "refused by the pod: nothing listens on port 8080 of search-7d4b9-a, though it is ready"
		case "service-back":
			service.Ports, service.Open = []status.Port{{Local: 8080, Port: 80}, {Local: 9090, Port: 9090, Name: "tcp"}}, 3
		}
		s.Services = append(s.Services, service)
	}
	i := &s.Intercepts[0]
	i.Name, i.Workload, i.Rule = "service-middle", "deployment/service-middle", "header x-tester=7"
	i.Routes = []status.Route{{Services: []string{"service-middle:8080"}, Port: 9090, Local: "localhost:9090", Open: true,
		To: "developer"}}
	i.Requests = []status.Request{
		{Ended: noon.Add(-2 * time.Second), Caller: "service-front-5f9c-x", What: "GET /orders", Outcome: "200",
			Seconds: 0.012, By: "ann@laptop"},
		{Ended: noon.Add(-time.Minute), Caller: "service-front-5f9c-x", What: "/shop.Orders/Get", Outcome: "NOT_FOUND",
			Seconds: 1.2, By: "ann@laptop"},
	}
	i.Recent = []status.Connection{{Ended: noon.Add(-2 * time.Second), Port: 9090, Client: "10.0.0.7:4711",
		Caller: "service-front-5f9c-x", Pod: "devtun-service-middle-a", Sent: 80, Received: 12_345, Seconds: 1.5,
		Reason: "client closed"}}
	return s
}

// TestScreens are testdata: each page of a session, where it is wide, as usual and narrow.
func TestScreens(t *testing.T) {
	for _, width := range []int{120, 80, 40} {
		var all strings.Builder
		m := seen(shop(), width, 24)
		show := func(what string) {
			fmt.Fprintf(&all, "== %s\n%s\n", what, text(t, m))
		}
		m.Update(frame{at: noon, Snapshot: shop(), said: []said{
			{noon, "devtun: starting forward"}, {noon, "ready: 9 services, 10 ports in 90ms"},
		}})
		later := shop()
		later.Services[0].State, later.Services[0].Reason = "waiting", "no ready pod"
		m.Update(frame{at: noon.Add(time.Second), Snapshot: later})
		show("overview")
		press(m, "f", "end")
		show("f: what is not forwarded")
		press(m, "f", "home", "enter")
		show("enter: an intercept")
		press(m, "esc", "/", "search", "enter", "enter")
		show("enter: a service")
		press(m, "esc", "esc", "home", "l")
		show("l: requests")
		press(m, "esc", "L")
		show("L: the log")
		press(m, "L", "?")
		show("?")
		file := filepath.Join("testdata", fmt.Sprintf("%d.txt", width))
		if *update {
			require.NoError(t, os.MkdirAll("testdata", 0o755))
			require.NoError(t, os.WriteFile(file, []byte(all.String()), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), all.String(), "go test ./cmd/cli/live -update writes it anew")
	}
}
