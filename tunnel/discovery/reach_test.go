package discovery

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel"
)

const (
	external = `{type: ExternalName, externalName: db.example.org., ports: [{name: sql, port: 5432}]}`
	address  = "ports: [{name: http, port: 8080}]\nendpoints: [{addresses: [192.0.2.1]}]"
)

func TestObstacle(t *testing.T) {
	for _, c := range []struct{ about, spec, slice, without, with string }{
		{"ExternalName", `{type: ExternalName, externalName: db.example.org}`, "",
			"no ports: it is an ExternalName for db.example.org: " +
				"'devtun forward host/db.example.org:PORT --relay' reaches it",
			"no ports: it is an ExternalName for db.example.org: " +
				"'devtun forward host/db.example.org:PORT --relay' reaches it"},
		{"ExternalName with ports", external, "",
			"no pods: it is an ExternalName for db.example.org: --relay reaches it", ""},
		{"UDP only", `{selector: {app: web}, ports: [{port: 53, protocol: UDP}]}`, "",
			"53/UDP: a port-forward carries TCP only: --relay reaches it", ""},
		{"SCTP only", `{selector: {app: web}, ports: [{port: 7, protocol: SCTP}]}`, "",
			"7/SCTP: neither a port-forward nor a relay carries that",
			"7/SCTP: neither a port-forward nor a relay carries that"},
		{"no ports", `{selector: {app: web}}`, "", "no ports", "no ports"},
		{"headless without ports", `{clusterIP: None, selector: {app: web}}`, twoPods, "no ports", "no ports"},
		{"no selector, no endpoints", `{ports: [{port: 80}]}`, "", "no selector, and no endpoint that is a pod", ""},
		{"no selector, endpoints elsewhere", `{ports: [{name: http, port: 80}]}`, address,
			"no selector, and no endpoint that is a pod: --relay reaches it", ""},
		{"no selector, endpoints that are pods", `{ports: [{name: http, port: 80}]}`, twoPods, "", ""},
		{"no ready pod is no obstacle", `{selector: {app: web}, ports: [{port: 80}]}`, "", "", ""},
	} {
		t.Run(c.about, func(t *testing.T) {
			var slices []string
			if c.slice != "" {
				slices = append(slices, c.slice)
			}
			service := reduce(t, c.spec, slices...)
			require.Equal(t, c.with, service.Obstacle)
			require.Equal(t, c.without, service.WithoutRelay().Obstacle)
			require.Equal(t, c.with != c.without, service.NeedsRelay())
			require.Equal(t, c.with == "", Relayable(serviceFrom(t, "web", c.spec)))
		})
	}
}

func TestForwardable(t *testing.T) {
	for spec, want := range map[string]bool{
		`{ports: [{port: 80}]}`: true,
		`{ports: [{port: 53, protocol: UDP}, {name: tcp, port: 53}]}`: true,
		`{ports: [{port: 53, protocol: UDP}]}`:                        false,
		`{ports: [{port: 53, protocol: SCTP}]}`:                       false,
		`{}`:                                                          false,
		`{type: ExternalName, externalName: a.b, ports: [{port: 80}]}`: false,
	} {
		require.Equal(t, want, Forwardable(serviceFrom(t, "web", spec)), spec)
	}
}

// outside is a port of what is no pod.
func outside(host string, port int) tunnel.Endpoint {
	return tunnel.Endpoint{Pod: tunnel.Pod{Namespace: "demo"}, Host: host, Port: port}
}

func TestWhatOnlyARelayReaches(t *testing.T) {
	require.Equal(t, []Port{{Name: "sql", Number: 5432, Endpoints: []tunnel.Endpoint{outside("db.example.org", 5432)}}},
		reduce(t, external).Ports, "nobody translates the ports of a name")
	require.Equal(t, []Port{{Name: "http", Number: 80, Endpoints: []tunnel.Endpoint{outside("192.0.2.1", 8080)}}},
		reduce(t, `{ports: [{name: http, port: 80}]}`, address).Ports)
	require.Equal(t, []Port{{Name: "http", Number: 80}}, reduce(t, `{ports: [{name: http, port: 80}]}`,
		"addressType: FQDN\nports: [{name: http, port: 80}]\nendpoints: [{addresses: [db.example.org]}]").Ports)
	require.Equal(t, []Pod{
		{"a", []Port{{Name: "", Number: 80, Endpoints: []tunnel.Endpoint{outside("192.0.2.1", 80)}}}},
		{"b", []Port{{Name: "", Number: 80, Endpoints: []tunnel.Endpoint{outside("192.0.2.2", 80)}}}},
	}, reduce(t, `{clusterIP: None, ports: [{port: 80}]}`, `
ports: [{port: 80}]
endpoints: [{addresses: [192.0.2.1], hostname: a}, {addresses: [192.0.2.2], hostname: b}]`).Pods)
}

func TestWithoutRelay(t *testing.T) {
	service := reduce(t, `{selector: {app: dns}, clusterIP: None, ports: [
  {name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53}, {name: s, port: 7, protocol: SCTP}]}`, `
ports: [{name: dns, port: 5353, protocol: UDP}, {name: dns-tcp, port: 5353}]
endpoints:
- {hostname: dns-0, targetRef: {kind: Pod, name: dns-0}}
- {hostname: other, addresses: [192.0.2.1]}`)
	require.True(t, service.NeedsRelay())
	require.Len(t, service.Ports, 4, "53 and 5353 of each protocol")
	require.Len(t, service.Pods, 2)
	require.Equal(t, "without 7/SCTP: neither a port-forward nor a relay carries that", service.Left())

	less := service.WithoutRelay()
	pod := []tunnel.Endpoint{endpoint("dns-0", 5353)}
	ports := []Port{{Name: "dns-tcp", Number: 53, Endpoints: pod}, {Name: "dns-tcp", Number: 5353, Endpoints: pod}}
	require.Equal(t, ports, less.Ports)
	require.Equal(t, []Pod{{"dns-0", ports}}, less.Pods)
	require.Equal(t, "without 53/UDP, 5353/UDP: a port-forward carries TCP only: --relay reaches it; "+
		"without 7/SCTP: neither a port-forward nor a relay carries that", less.Left())
	require.Empty(t, less.Obstacle)
	require.False(t, less.NeedsRelay())

	whole := reduce(t, `{selector: {app: web}, ports: [{name: http, port: 80}]}`, twoPods)
	require.Same(t, whole, whole.WithoutRelay())
	require.Empty(t, whole.Left())
}
