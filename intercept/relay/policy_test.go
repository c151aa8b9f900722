package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/wire"
)

// shop is what the relay's namespace holds.
const shop = `
pods:
- metadata: {name: relay-1}
  status: {phase: Running, podIP: 10.0.0.9, podIPs: [{ip: 10.0.0.9}], hostIP: 192.168.0.1, hostIPs: [{ip: 192.168.0.1}, {ip: "fd01::1"}]}
- metadata: {name: web}
  status: {phase: Running, podIP: 10.0.0.2}
- metadata: {name: done}
  status: {phase: Succeeded, podIP: 10.0.0.3}
- metadata: {name: ds-here}
  spec: {hostNetwork: true}
  status: {phase: Running, podIP: 192.168.0.1}
- metadata: {name: ds-there}
  spec: {hostNetwork: true}
  status: {phase: Running, podIP: 192.168.0.2}
endpointslices:
- metadata: {name: db}
  endpoints: [{addresses: [172.16.0.5]}, {addresses: ["fd02::5"]}]
  ports: [{port: 5432, protocol: TCP}, {port: 5433}]
- metadata: {name: ds}
  endpoints: [{addresses: [192.168.0.1]}, {addresses: [192.168.0.2]}]
  ports: [{port: 9100, protocol: TCP}, {port: 53, protocol: UDP}]
- metadata: {name: evil}
  endpoints: [{addresses: [169.254.169.254]}, {addresses: [127.0.0.1]}, {addresses: [10.0.0.9]}]
  ports: [{port: 80, protocol: TCP}]
services:
- metadata: {name: web}
  spec: {type: ClusterIP, clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7], ports: [{port: 80, protocol: TCP}]}
- metadata: {name: mail}
  spec: {type: ExternalName, externalName: Mail.Example.com., ports: [{port: 25, protocol: TCP}]}
- metadata: {name: bare}
  spec: {type: ExternalName, externalName: bare.example.com}
`

// apiServer is as much of one as the policy needs.
type apiServer struct {
	*httptest.Server
	asked atomic.Int32

	mu      sync.Mutex
	objects map[string][]map[string]any // by collection
	down    bool
	old     bool // it does not know what Services may be selected by
}

func newAPI(t *testing.T) *apiServer {
	s := &apiServer{objects: make(map[string][]map[string]any)}
	require.NoError(t, yaml.Unmarshal([]byte(shop), &s.objects))
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() { s.Client().CloseIdleConnections(); s.Close() })
	return s
}

func (s *apiServer) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, collection, _ := strings.Cut(r.URL.Path, "/namespaces/shop/")
	field, value, _ := strings.Cut(r.URL.Query().Get("fieldSelector"), "=")
	switch {
	case s.down:
		http.Error(w, "down", http.StatusForbidden) // which is not tried again
		return
	case s.objects[collection] == nil:
		http.NotFound(w, r)
		return
	case s.old && collection == "services" && field != "":
		http.Error(w, "{}", http.StatusBadRequest)
		return
	}
	items := []map[string]any{}
	for _, object := range s.objects[collection] {
		if field == "" || at(object, field) == value {
			items = append(items, object)
		}
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	page := map[string]any{"items": items[from:min(from+2, len(items))]}
	if from+2 < len(items) {
		page["metadata"] = map[string]string{"continue": strconv.Itoa(from + 2)}
	}
	json.NewEncoder(w).Encode(page)
}

func at(object map[string]any, field string) any {
	var value any = object
	for key := range strings.SplitSeq(field, ".") {
		inner, _ := value.(map[string]any)
		value = inner[key]
	}
	return value
}

// newPolicy is the one of relay-1, with a claim's reach.
func newPolicy(s *apiServer, names map[string][]string, reach ...string) *Policy {
	p := NewPolicy(&plan.Client{Doer: s.Client(), Base: s.URL}, "shop",
		func(context.Context) ([]claim.Claim, error) { return []claim.Claim{{Reach: reach}}, nil })
	p.pod = "relay-1"
	p.interfaces = func() ([]net.Addr, error) {
		return []net.Addr{&net.IPNet{IP: net.IPv4(10, 0, 0, 9), Mask: net.CIDRMask(24, 32)},
			&net.IPNet{IP: net.ParseIP("fd00::9"), Mask: net.CIDRMask(64, 128)}}, nil
	}
	p.LookUp = func(_ context.Context, name string) (all []netip.Addr, err error) {
		for _, a := range names[name] {
			all = append(all, netip.MustParseAddr(a))
		}
		if all == nil {
			err = fmt.Errorf("lookup %s: no such host", name)
		}
		return all, err
	}
	return p
}

var names = map[string][]string{
	"db.internal":      {"10.9.0.1", "fd09::1"},
	"mail.example.com": {"203.0.113.25"},
	"bare.example.com": {"203.0.113.26"},
	"other.internal":   {"10.9.0.2"},
	"metadata":         {"169.254.169.254"},
	"mapped":           {"::ffff:169.254.169.254"},
	"localhost":        {"127.0.0.1", "::1"},
	"half":             {"::ffff:127.0.0.1", "10.9.0.3", "fe80::1"},
	"self":             {"10.0.0.9"},
	"node":             {"192.168.0.1"},
}

func TestPolicy(t *testing.T) {
	reach := []string{
		"host/db.internal:5432", "host/metadata:80", "host/mapped:80", "host/localhost:80", "host/half:80",
		"host/self:80", "host/node:22", "host/node:9100", "host/nowhere:80", "host/db.internal:53/udp",
		"ip/10.7.0.1:443", "ip/169.254.169.254:80", "ip/127.0.0.1:80", "ip/10.0.0.9:80", "ip/192.168.0.1:22",
		"ip/192.168.0.2:22", "ip/[::ffff:169.254.169.254]:81", "ip/[64:ff9b::a9fe:a9fe]:80", "ip/[fd00:ec2::254]:80",
		"ip/[fd09::9]:80", "ip/[2002:7f00:1::]:80", "ip/224.0.0.1:80", "ip/0.0.0.0:80", "nonsense",
	}
	const foreign = "it belongs neither"
	for text, want := range map[string]string{ // the addresses, or why not
		// What belongs to the namespace.
		"tcp 10.0.0.2 8080":             "10.0.0.2:8080",
		"udp 10.0.0.2 53":               "10.0.0.2:53",
		"tcp ::ffff:10.0.0.2 8080":      "10.0.0.2:8080",
		"tcp 10.0.0.3 80":               foreign, // its pod has ended
		"tcp 10.0.0.4 80":               foreign,
		"tcp 172.16.0.5 5432":           "172.16.0.5:5432",
		"tcp 172.16.0.5 5433":           "172.16.0.5:5433", // TCP is the default
		"udp 172.16.0.5 5432":           foreign,
		"tcp 172.16.0.5 22":             foreign,
		"tcp fd02::5 5432":              "[fd02::5]:5432",
		"tcp 10.96.0.7 80":              "10.96.0.7:80",
		"tcp 10.96.0.7 81":              foreign,
		"tcp 192.168.0.2 9100":          "192.168.0.2:9100", // of a pod in its node's network, a Service's ports only
		"tcp 192.168.0.2 10250":         foreign,
		"tcp 192.168.0.1 9100":          "192.168.0.1:9100",
		"udp 192.168.0.1 53":            "192.168.0.1:53",
		"tcp 192.168.0.1 10250":         "is its node",
		"tcp fd01::1 10250":             "is its node",
		"tcp mail.example.com 25":       "203.0.113.25:25", // an ExternalName
		"tcp MAIL.example.com. 25":      "203.0.113.25:25",
		"tcp mail.example.com 587":      "neither has a Service",
		"tcp bare.example.com 80":       "neither has a Service", // it says no port
		"tcp other.internal 80":         "neither has a Service",
		"tcp web 80":                    "neither has a Service",
		"tcp 2130706433 80":             "neither has a Service", // 127.0.0.1, to some
		"tcp 0x7f.1 80":                 "neither has a Service",
		"tcp [::1] 80":                  "no name",
		"tcp 10.0.0.2:80 80":            "no name",
		"tcp a/b 80":                    "no name",
		"tcp fe80::1%eth0 80":           "no address of a host",
		"tcp 127.0.0.1 80":              "is the relay's own",
		"tcp ::1 80":                    "is the relay's own",
		"tcp ::ffff:127.0.0.1 80":       "is the relay's own",
		"tcp ::127.0.0.1 80":            "is the relay's own",
		"tcp 169.254.169.254 80":        "is link-local", // though an EndpointSlice has it
		"tcp ::ffff:169.254.169.254 80": "is link-local",
		"tcp ::ffff:a9fe:a9fe 80":       "is link-local",
		"tcp fe80::1 80":                "is link-local",
		"tcp 0.0.0.0 80":                "no address of a host",
		"tcp :: 80":                     "no address of a host",
		"tcp 0.1.2.3 80":                "no address of a host",
		"tcp 255.255.255.255 80":        "no address of a host",
		"udp 224.0.0.251 5353":          "one of many hosts",
		"udp ff02::fb 5353":             "one of many hosts",
		"tcp 10.0.0.9 80":               "is the relay's own",
		"tcp ::ffff:10.0.0.9 47380":     "is the relay's own",
		"tcp fd00::9 80":                "is the relay's own",
		"tcp 100.100.100.200 80":        "metadata service",
		"sctp 10.0.0.2 80":              "neither TCP nor UDP",
		"unix /run/containerd.sock 1":   "neither TCP nor UDP",
		"tcp 10.0.0.2 0":                "neither TCP nor UDP",
		"tcp 10.0.0.2 65616":            "neither TCP nor UDP", // 80, of 16 bits

		// What a claim names.
		"tcp db.internal 5432":            "10.9.0.1:5432 [fd09::1]:5432",
		"tcp DB.internal. 5432":           "10.9.0.1:5432 [fd09::1]:5432",
		"udp db.internal 53":              "10.9.0.1:53 [fd09::1]:53",
		"tcp db.internal 53":              "neither has a Service",
		"tcp 10.9.0.1 5432":               foreign, // the name was named, not the address
		"tcp 10.7.0.1 443":                "10.7.0.1:443",
		"udp 10.7.0.1 443":                foreign,
		"tcp fd09::9 80":                  "[fd09::9]:80",
		"tcp 192.168.0.2 22":              "192.168.0.2:22",
		"tcp nowhere 80":                  "no such host",
		"tcp half 80":                     "10.9.0.3:80",
		"tcp metadata 80":                 "is link-local",
		"tcp mapped 80":                   "is link-local",
		"tcp localhost 80":                "is the relay's own",
		"tcp self 80":                     "is the relay's own",
		"tcp node 22":                     "is its node",
		"tcp node 9100":                   "192.168.0.1:9100",
		"tcp ::ffff:169.254.169.254 81":   "is link-local",
		"tcp 64:ff9b::169.254.169.254 80": "is link-local",
		"tcp fd00:ec2::254 80":            "metadata service",
		"tcp 2002:7f00:1:: 80":            "is the relay's own",
		"tcp 224.0.0.1 80":                "one of many hosts",
		"tcp 192.168.0.1 22":              "is its node",
	} {
		t.Run(text, func(t *testing.T) {
			var d wire.Dial
			_, err := fmt.Sscan(text, &d.Network, &d.Host, &d.Port)
			require.NoError(t, err)
			api := newAPI(t)
			for range 2 { // from the cluster, and from what is remembered
				all, err := newPolicy(api, names, reach...).Addresses(t.Context(), d)
				if err != nil {
					require.ErrorContains(t, err, want)
				} else {
					require.Equal(t, want, strings.Join(all, " "))
				}
				api.set(func() { api.old = true })
			}
		})
	}
}

// TestTheClusterIsAskedOnce, however many connect.
func TestTheClusterIsAskedOnce(t *testing.T) {
	api := newAPI(t)
	p := newPolicy(api, names)
	var dialling sync.WaitGroup
	for range 1000 {
		dialling.Go(func() {
			_, err := p.Addresses(t.Context(), wire.Dial{Network: TCP, Host: "10.0.0.2", Port: 80})
			if err != nil {
				t.Error(err)
			}
		})
	}
	dialling.Wait()
	require.LessOrEqual(t, api.asked.Load(), int32(2), "its own pod, and the other")
}

// TestTheClusterIsAway: what was allowed is so for a while, and nothing else.
func TestTheClusterIsAway(t *testing.T) {
	api := newAPI(t)
	p := newPolicy(api, names)
	to := func(host string) error {
		_, err := p.Addresses(t.Context(), wire.Dial{Network: TCP, Host: host, Port: 80})
		return err
	}
	require.NoError(t, to("10.0.0.2"))
	api.set(func() { api.down = true })
	expire(&p.allowed)
	expire(&p.own)
	require.NoError(t, to("10.0.0.2"))
	var forbidden *ForbiddenError
	err := to("10.0.0.5")
	require.ErrorContains(t, err, "find out whether the relay may connect to ip/10.0.0.5:80")
	require.False(t, errors.As(err, &forbidden))

	p = newPolicy(api, names, "ip/10.7.0.1:443")
	_, err = p.Addresses(t.Context(), wire.Dial{Network: TCP, Host: "10.7.0.1", Port: 443})
	require.Error(t, err, "nothing is allowed while the relay does not know its node")
}

// expire has all answers of a cache be no longer good.
func expire(c *cache) {
	c.answers.Range(func(_, found any) bool {
		a := found.(*answer)
		a.until, a.good = a.asked, 0
		return true
	})
}

// TestClaimsComeAndGo: what one names is reached as soon as it stands, and no longer than it
// is known to.
func TestClaimsComeAndGo(t *testing.T) {
	api := newAPI(t)
	p := newPolicy(api, names)
	var claims []claim.Claim
	p.claims = func(context.Context) ([]claim.Claim, error) { return claims, nil }
	d := wire.Dial{Network: TCP, Host: "db.internal", Port: 5432}
	_, err := p.Addresses(t.Context(), d)
	require.Error(t, err)
	claims = []claim.Claim{{Reach: []string{"host/db.internal:5432"}}}
	expire(&p.asked)
	_, err = p.Addresses(t.Context(), d)
	require.NoError(t, err)
	p.SetClaims(nil)
	claims = nil
	_, err = p.Addresses(t.Context(), d)
	require.Error(t, err)
}

// TestACacheIsBounded, and its answers go on being right.
func TestACacheIsBounded(t *testing.T) {
	var c cache
	for i := range maxAnswers + 100 {
		got, err := known(t.Context(), &c, i, func(context.Context) (int, time.Duration, error) { return i, time.Hour, nil })
		require.NoError(t, err)
		require.Equal(t, i, got)
	}
	count := 0
	c.answers.Range(func(any, any) bool { count++; return true })
	require.LessOrEqual(t, count, maxAnswers)
}
