package forwards

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/tunnel/discovery"
)

func TestPortsOf(t *testing.T) {
	web, api := discovery.Key{Namespace: "demo", Name: "web"}, discovery.Key{Namespace: "demo", Name: "api"}
	http, metrics := discovery.Port{Name: "http", Number: 80}, discovery.Port{Name: "metrics", Number: 9000}
	for _, c := range []struct {
		about  string
		ports  []discovery.Port
		remaps []Remap
		want   []port
	}{
		{"as they are, by number", []discovery.Port{metrics, http}, nil,
			[]port{{number: number{local: 80}, name: "http", remote: 80},
				{number: number{local: 9000}, name: "metrics", remote: 9000}}},
		{"moved by number", []discovery.Port{http, metrics}, []Remap{{web, 8080, "80"}},
			[]port{{number: number{local: 8080}, name: "http", remote: 80},
				{number: number{local: 9000}, name: "metrics", remote: 9000}}},
		{"moved by name", []discovery.Port{http, metrics}, []Remap{{web, 8080, "http"}},
			[]port{{number: number{local: 8080}, name: "http", remote: 80},
				{number: number{local: 9000}, name: "metrics", remote: 9000}}},
		{"both moved, each to the other's number", []discovery.Port{http, metrics},
			[]Remap{{web, 9000, "http"}, {web, 80, "metrics"}},
			[]port{{number: number{local: 80}, name: "metrics", remote: 9000},
				{number: number{local: 9000}, name: "http", remote: 80}}},
		{"another service's remap", []discovery.Port{http}, []Remap{{api, 8080, "80"}},
			[]port{{number: number{local: 80}, name: "http", remote: 80}}},
		{"another namespace's remap", []discovery.Port{http},
			[]Remap{{discovery.Key{Namespace: "shop", Name: "web"}, 8080, "80"}},
			[]port{{number: number{local: 80}, name: "http", remote: 80}}},
		{"what was moved has the number, not what had it", []discovery.Port{http, metrics}, []Remap{{web, 80, "metrics"}},
			[]port{{number: number{local: 80}, name: "metrics", remote: 9000}}},
		{"no ports", nil, []Remap{{web, 8080, "80"}}, nil},
	} {
		t.Run(c.about, func(t *testing.T) { require.Equal(t, c.want, portsOf(web, c.ports, c.remaps)) })
	}
}

func TestTargets(t *testing.T) {
	service := serviceOf(portOf(80, "web-0", "web-1"))
	service.Key = discovery.Key{Namespace: "demo", Name: "web"}
	service.Pods = []discovery.Pod{
		{Hostname: "web-0", Ports: []discovery.Port{portOf(80, "web-0")}},
		{Hostname: "web-1", Ports: []discovery.Port{portOf(80, "web-1")}},
	}
	wanted := targets(service, []Remap{{service.Key, 8080, "80"}})
	require.Len(t, wanted, 3)
	for i, pod := range []string{"", "web-0", "web-1"} {
		require.Equal(t, dns.Service{Namespace: "demo", Name: "web", Pod: pod}, wanted[i].service)
		require.Len(t, wanted[i].ports, 1)
		require.Equal(t, 8080, wanted[i].ports[0].local, "a remap is of the pods' names too")
	}
	require.Len(t, wanted[0].ports[0].endpoints, 2)
	require.Equal(t, portOf(80, "web-1").Endpoints, wanted[2].ports[0].endpoints)
}

func TestRemapString(t *testing.T) {
	require.Equal(t, "web:8080:http", Remap{discovery.Key{Namespace: "demo", Name: "web"}, 8080, "http"}.String())
}
