package discovery

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel"
)

func TestHeadless(t *testing.T) {
	service := reduce(t, `{clusterIP: None, selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}`, `
ports: [{name: http, port: 8080}]
endpoints:
- {hostname: web-1, targetRef: {kind: Pod, name: web-1, namespace: demo}}
- {hostname: web-0, targetRef: {kind: Pod, name: web-0, namespace: demo}}
- {targetRef: {kind: Pod, name: nameless, namespace: demo}}
- {hostname: web-2, conditions: {ready: false}, targetRef: {kind: Pod, name: web-2, namespace: demo}}`)
	all := []tunnel.Endpoint{endpoint("nameless", 8080), endpoint("web-0", 8080), endpoint("web-1", 8080)}
	require.True(t, service.Headless)
	require.Equal(t, []Port{{Name: "http", Number: 80, Endpoints: all}, {Name: "http", Number: 8080, Endpoints: all}},
		service.Ports,
		"clients of a headless service connect to the target port")
	require.Equal(t, []Pod{
		{"web-0", []Port{{Name: "http", Number: 80, Endpoints: []tunnel.Endpoint{endpoint("web-0", 8080)}},
			{Name: "http", Number: 8080, Endpoints: []tunnel.Endpoint{endpoint("web-0", 8080)}}}},
		{"web-1", []Port{{Name: "http", Number: 80, Endpoints: []tunnel.Endpoint{endpoint("web-1", 8080)}},
			{Name: "http", Number: 8080, Endpoints: []tunnel.Endpoint{endpoint("web-1", 8080)}}}},
	}, service.Pods, "each ready pod with a host name, and only its own endpoints")
}

// A StatefulSet's pods have their names too where the service has an address.
func TestPodsOfAServiceWithAnAddress(t *testing.T) {
	service := reduce(t,
		`{clusterIP: 10.0.0.7, selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}, {name: alt, port: 8080, targetPort: 8080}, {name: admin, port: 81, targetPort: 80}]}`, `
ports: [{name: http, port: 8080}, {name: alt, port: 8080}, {name: admin, port: 80}]
endpoints:
- {hostname: web-0, targetRef: {kind: Pod, name: web-0, namespace: demo}}
- {hostname: web-1, targetRef: {kind: Pod, name: web-1, namespace: demo}}
- {targetRef: {kind: Pod, name: nameless, namespace: demo}}`)
	require.False(t, service.Headless)
	require.Len(t, service.Ports, 3)
	pod := func(name string) Pod {
		return Pod{name, []Port{
			{Name: "http", Number: 8080, Endpoints: []tunnel.Endpoint{endpoint(name, 8080)}},
			{Name: "admin", Number: 80, Endpoints: []tunnel.Endpoint{endpoint(name, 80)}},
		}}
	}
	require.Equal(t, []Pod{pod("web-0"), pod("web-1")}, service.Pods, "by the ports that the pods have")
}

func TestHeadlessPodOfTwoFamilies(t *testing.T) {
	const family = `
ports: [{name: http, port: 80}]
endpoints: [{hostname: web-0, targetRef: {kind: Pod, name: web-0}}]`
	service := reduce(t, `{clusterIP: None, selector: {app: web}, ports: [{name: http, port: 80}]}`, family, family)
	only := []Port{{Name: "http", Number: 80, Endpoints: []tunnel.Endpoint{endpoint("web-0", 80)}}}
	require.Equal(t, only, service.Ports)
	require.Equal(t, []Pod{{"web-0", only}}, service.Pods)
}

func TestHeadlessTargetsKeepServicePortsApart(t *testing.T) {
	for _, c := range []struct {
		about string
		ports []Port
		want  []Port
	}{{
		about: "the target port is the service port",
		ports: []Port{{Name: "http", Number: 80, Endpoints: []tunnel.Endpoint{endpoint("a", 80)}}},
		want:  []Port{{Name: "http", Number: 80, Endpoints: []tunnel.Endpoint{endpoint("a", 80)}}},
	}, {
		about: "two service ports swap their targets: the service's numbers win",
		ports: []Port{{Name: "a", Number: 1, Endpoints: []tunnel.Endpoint{endpoint("a", 2)}},
			{Name: "b", Number: 2, Endpoints: []tunnel.Endpoint{endpoint("a", 1)}}},
		want: []Port{{Name: "a", Number: 1, Endpoints: []tunnel.Endpoint{endpoint("a", 2)}},
			{Name: "b", Number: 2, Endpoints: []tunnel.Endpoint{endpoint("a", 1)}}},
	}, {
		about: "two service ports with one target port give it once",
		ports: []Port{{Name: "a", Number: 1, Endpoints: []tunnel.Endpoint{endpoint("a", 9)}},
			{Name: "b", Number: 2, Endpoints: []tunnel.Endpoint{endpoint("a", 9)}}},
		want: []Port{{Name: "a", Number: 1, Endpoints: []tunnel.Endpoint{endpoint("a", 9)}},
			{Name: "b", Number: 2, Endpoints: []tunnel.Endpoint{endpoint("a", 9)}},
			{Name: "a", Number: 9, Endpoints: []tunnel.Endpoint{endpoint("a", 9)}}},
	}, {
		about: "pods that name different ports add each of them",
		ports: []Port{{Name: "http", Number: 80, Endpoints: []tunnel.Endpoint{endpoint("a", 8080), endpoint("b", 9090)}}},
		want: []Port{{Name: "http", Number: 80, Endpoints: []tunnel.Endpoint{endpoint("a", 8080), endpoint("b", 9090)}},
			{Name: "http", Number: 8080, Endpoints: []tunnel.Endpoint{endpoint("a", 8080)}},
			{Name: "http", Number: 9090, Endpoints: []tunnel.Endpoint{endpoint("b", 9090)}}},
	}, {
		about: "no endpoints, no targets",
		ports: []Port{{Name: "http", Number: 80}},
		want:  []Port{{Name: "http", Number: 80}},
	}} {
		t.Run(c.about, func(t *testing.T) { require.Equal(t, c.want, withTargets(c.ports)) })
	}
}
