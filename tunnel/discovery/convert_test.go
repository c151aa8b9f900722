package discovery

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel"
)

// twoPods is a slice of one named port and two ready pods, not in order.
const twoPods = `
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints:
- {addresses: [10.0.0.2], conditions: {ready: true}, targetRef: {kind: Pod, name: web-b, namespace: demo}}
- {addresses: [10.0.0.1], conditions: {ready: true}, targetRef: {kind: Pod, name: web-a, namespace: demo}}`

func TestPorts(t *testing.T) {
	for _, c := range []struct {
		about   string
		spec    string
		slices  []string
		ports   []Port
		skipped []string
	}{{
		about:  "the slice tells where a named target port leads",
		spec:   `{selector: {app: web}, ports: [{name: http, port: 80, targetPort: web}]}`,
		slices: []string{twoPods},
		ports: []Port{{Name: "http", Number: 80,
			Endpoints: []tunnel.Endpoint{endpointAt("web-a", "10.0.0.1", 8080), endpointAt("web-b", "10.0.0.2", 8080)}}},
	}, {
		about: "pods of one service may resolve a named port differently",
		spec:  `{selector: {app: web}, ports: [{name: http, port: 80, targetPort: web}]}`,
		slices: []string{twoPods, `
ports: [{name: http, port: 9090}]
endpoints: [{targetRef: {kind: Pod, name: web-c}}]`},
		ports: []Port{{Name: "http", Number: 80,
			Endpoints: []tunnel.Endpoint{endpointAt("web-a", "10.0.0.1", 8080), endpointAt("web-b", "10.0.0.2", 8080),
				endpoint("web-c", 9090)}}},
	}, {
		about: "a single port may have no name",
		spec:  `{selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}`,
		slices: []string{`
ports: [{name: "", port: 8080}]
endpoints: [{targetRef: {kind: Pod, name: web-a}}]`},
		ports: []Port{{Name: "", Number: 80, Endpoints: []tunnel.Endpoint{endpoint("web-a", 8080)}}},
	}, {
		about: "a port's name that is not given is the empty one",
		spec:  `{selector: {app: web}, ports: [{port: 80}]}`,
		slices: []string{`
ports: [{port: 80}]
endpoints: [{targetRef: {kind: Pod, name: web-a}}]`},
		ports: []Port{{Name: "", Number: 80, Endpoints: []tunnel.Endpoint{endpoint("web-a", 80)}}},
	}, {
		about: "several ports keep their order",
		spec:  `{selector: {app: web}, ports: [{name: metrics, port: 9000}, {name: http, port: 80}]}`,
		slices: []string{`
ports: [{name: http, port: 8080}, {name: metrics, port: 9001}]
endpoints: [{targetRef: {kind: Pod, name: web-a}}]`},
		ports: []Port{
			{Name: "metrics", Number: 9000, Endpoints: []tunnel.Endpoint{endpoint("web-a", 9001)}},
			{Name: "http", Number: 80, Endpoints: []tunnel.Endpoint{endpoint("web-a", 8080)}},
		},
	}, {
		about: "UDP beside TCP, SCTP is left out",
		spec:  `{selector: {app: web}, ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}, {name: s, port: 7, protocol: SCTP}]}`,
		slices: []string{`
ports: [{name: dns, port: 5353, protocol: UDP}, {name: dns-tcp, port: 5353, protocol: TCP}]
endpoints: [{targetRef: {kind: Pod, name: web-a}}]`},
		ports: []Port{{Name: "dns", Number: 53, UDP: true, Endpoints: []tunnel.Endpoint{endpoint("web-a", 5353)}},
			{Name: "dns-tcp", Number: 53, Endpoints: []tunnel.Endpoint{endpoint("web-a", 5353)}}},
		skipped: []string{"7/SCTP"},
	}, {
		about: "a slice's UDP port does not stand for the TCP port of that name",
		spec:  `{selector: {app: web}, ports: [{name: dns, port: 53}]}`,
		slices: []string{`
ports: [{name: dns, port: 5353, protocol: UDP}]
endpoints: [{targetRef: {kind: Pod, name: web-a}}]`},
		ports: []Port{{Name: "dns", Number: 53}},
	}, {
		about: "a slice's port without a number stands for none",
		spec:  `{selector: {app: web}, ports: [{name: http, port: 80}]}`,
		slices: []string{`
ports: [{name: http}]
endpoints: [{targetRef: {kind: Pod, name: web-a}}]`},
		ports: []Port{{Name: "http", Number: 80}},
	}, {
		about: "a pod of two IP families is in two slices, and one endpoint",
		spec:  `{selector: {app: web}, ports: [{name: http, port: 80}]}`,
		slices: []string{twoPods, `
addressType: IPv6
ports: [{name: http, port: 8080}]
endpoints: [{addresses: ["fd00::1"], targetRef: {kind: Pod, name: web-a, namespace: demo}}]`},
		ports: []Port{{Name: "http", Number: 80,
			Endpoints: []tunnel.Endpoint{endpointAt("web-a", "10.0.0.1", 8080), endpointAt("web-b", "10.0.0.2", 8080)}}},
	}, {
		about: "a pod made anew under its name is another endpoint",
		spec:  `{selector: {app: web}, ports: [{name: http, port: 80}]}`,
		slices: []string{`
ports: [{name: http, port: 8080}]
endpoints: [{targetRef: {kind: Pod, name: web-0, namespace: demo, uid: 4f1c}}]`},
		ports: []Port{{Name: "http", Number: 80,
			Endpoints: []tunnel.Endpoint{{Pod: tunnel.Pod{Namespace: "demo", Name: "web-0", UID: "4f1c"}, Port: 8080}}}},
	}, {
		about: "a target port by a name that no ready pod has",
		spec:  `{selector: {app: web}, ports: [{name: http, port: 80, targetPort: web}, {name: metrics, port: 90, targetPort: stats}]}`,
		slices: []string{`
ports: [{name: http, port: 8080}]
endpoints: [{targetRef: {kind: Pod, name: web-a}}]`},
		ports: []Port{{Name: "http", Number: 80, Endpoints: []tunnel.Endpoint{endpoint("web-a", 8080)}},
			{Name: "metrics", Number: 90, Absent: "stats"}},
	}, {
		about: "whether a pod has the target port is not known before one is ready",
		spec:  `{selector: {app: web}, ports: [{name: http, port: 80, targetPort: web}]}`,
		slices: []string{`
endpoints: [{conditions: {ready: false}, targetRef: {kind: Pod, name: web-a}}]`},
		ports: []Port{{Name: "http", Number: 80}},
	}, {
		about: "no slice yet",
		spec:  `{selector: {app: web}, ports: [{name: http, port: 80}]}`,
		ports: []Port{{Name: "http", Number: 80}},
	}} {
		t.Run(c.about, func(t *testing.T) {
			service := reduce(t, c.spec, c.slices...)
			require.Equal(t, Key{"demo", "web"}, service.Key)
			require.Equal(t, c.ports, service.Ports)
			require.Equal(t, c.skipped, service.Skipped)
			require.Empty(t, service.Obstacle)
			require.False(t, service.Headless)
			require.Nil(t, service.Pods)
		})
	}
}

func TestReadiness(t *testing.T) {
	const pod = `targetRef: {kind: Pod, name: web-a, namespace: demo}`
	for _, c := range []struct {
		about, endpoint string
		ready           int
	}{
		{"ready", `{conditions: {ready: true, serving: true, terminating: false}, ` + pod + `}`, 1},
		{"not ready", `{conditions: {ready: false}, ` + pod + `}`, 0},
		{"terminating, still serving", `{conditions: {ready: false, serving: true, terminating: true}, ` + pod + `}`, 0},
		{"not said", `{conditions: {}, ` + pod + `}`, 1},
		{"no conditions", `{` + pod + `}`, 1},
		{"not a pod", `{targetRef: {kind: Node, name: n}}`, 0},
		{"an address only", `{addresses: [192.0.2.1]}`, 1},
		{"an address only, not ready", `{addresses: [192.0.2.1], conditions: {ready: false}}`, 0},
	} {
		t.Run(c.about, func(t *testing.T) {
			service := reduce(t, `{selector: {app: web}, ports: [{name: http, port: 80}]}`,
				"ports: [{name: http, port: 8080}]\nendpoints: ["+c.endpoint+"]")
			require.Equal(t, c.ready, service.Ready())
			require.Empty(t, service.Obstacle)
		})
	}
}

// Pods that are not ready keep their addresses, as long as they have one.
func TestUnreadyPods(t *testing.T) {
	service := reduce(t, `{selector: {app: web}, ports: [{name: http, port: 80}]}`, `
ports: [{name: http, port: 8080}]
endpoints:
- {addresses: [10.0.0.1], conditions: {ready: false}, targetRef: {kind: Pod, name: web-a}}
- {addresses: [10.0.0.2], conditions: {ready: false, terminating: true}, targetRef: {kind: Pod, name: web-b}}
- {addresses: [10.0.0.3], targetRef: {kind: Pod, name: web-c}}
- {addresses: [192.0.2.1], conditions: {ready: false}}
- {conditions: {ready: false}, targetRef: {kind: Pod, name: web-d}}`)
	require.Equal(t, []Port{{Name: "http", Number: 80,
		Endpoints: []tunnel.Endpoint{endpointAt("web-c", "10.0.0.3", 8080)},
		Unready:   []tunnel.Endpoint{endpointAt("web-a", "10.0.0.1", 8080), endpointAt("web-b", "10.0.0.2", 8080)},
	}}, service.Ports)
	require.Equal(t, 1, service.Ready())
}

func TestReadyIsOfThePortWithMost(t *testing.T) {
	service := Service{Ports: []Port{{Number: 1},
		{Number: 2, Endpoints: []tunnel.Endpoint{endpoint("a", 1), endpoint("b", 1)}}}}
	require.Equal(t, 2, service.Ready())
	require.Zero(t, Service{}.Ready())
}

func TestAffinity(t *testing.T) {
	for _, c := range []struct {
		spec string
		want time.Duration
	}{
		{`{ports: [{port: 80}]}`, 0},
		{`{sessionAffinity: None, ports: [{port: 80}]}`, 0},
		{`{sessionAffinity: ClientIP, ports: [{port: 80}]}`, 3 * time.Hour},
		{`{sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {}}, ports: [{port: 80}]}`, 3 * time.Hour},
		{`{sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 90}}, ports: [{port: 80}]}`,
			90 * time.Second},
	} {
		require.Equal(t, c.want, reduce(t, c.spec).Affinity, c.spec)
	}
}

func TestSliceOfNoService(t *testing.T) {
	require.Nil(t, sliceOf(sliceFrom(t, "", "stray", twoPods)))
}
