package cli

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/tunnel/discovery"
)

// in is a service of a namespace.
func in(namespace, name string) discovery.Key {
	return discovery.Key{Namespace: namespace, Name: name}
}

func TestSelectServices(t *testing.T) {
	keys := func(keys ...discovery.Key) map[discovery.Key]bool {
		set := make(map[discovery.Key]bool)
		for _, key := range keys {
			set[key] = true
		}
		return set
	}
	for _, c := range []struct {
		about      string
		flags      selectFlags
		namespace  string // default; "ctx" is the context's
		namespaces []string
		named      map[discovery.Key]bool
		except     map[discovery.Key]bool
	}{
		{"nothing said", selectFlags{}, "ctx", []string{"ctx"}, nil, nil},
		{"one namespace", selectFlags{namespaces: []string{"shop"}}, "shop", []string{"shop"}, nil, nil},
		{"the first of several gives bare names", selectFlags{namespaces: []string{"shop", "demo", "shop"}}, "shop", []string{"demo", "shop"}, nil, nil},
		{"all namespaces", selectFlags{all: true}, "ctx", []string{""}, nil, nil},
		{"labels", selectFlags{labels: "app in (a, b),!old"}, "ctx", []string{"ctx"}, nil, nil},
		{"a name", selectFlags{args: []string{"web"}}, "ctx", []string{"ctx"}, keys(in("ctx", "web")), nil},
		{"a name, -n", selectFlags{args: []string{"web"}, namespaces: []string{"shop"}}, "shop", []string{"shop"}, keys(in("shop", "web")), nil},
		{"svc/", selectFlags{args: []string{"svc/web", "service/api", "services/db"}}, "ctx", []string{"ctx"},
			keys(in("ctx", "web"), in("ctx", "api"), in("ctx", "db")), nil},
		{"only the namespaces of names are watched", selectFlags{args: []string{"web.shop"}}, "ctx", []string{"shop"}, keys(in("shop", "web")), nil},
		{"a cluster name", selectFlags{args: []string{"web.shop.svc.cluster.local"}}, "ctx", []string{"shop"}, keys(in("shop", "web")), nil},
		{"a full name with -A", selectFlags{args: []string{"web.shop"}, all: true}, "ctx", []string{""}, keys(in("shop", "web")), nil},
		{"a bare name of several namespaces", selectFlags{args: []string{"web", "svc/api", "db.a"}, except: []string{"old"}, namespaces: []string{"a", "b"},
			homes: map[string]string{"web": "b", "old": "b", "db": "b"}}, "a", []string{"a", "b"},
			keys(in("b", "web"), in("a", "api"), in("a", "db")), keys(in("b", "old"))},
		{"all but one", selectFlags{except: []string{"web", "svc/api.shop"}}, "ctx", []string{"ctx"}, nil, keys(in("ctx", "web"), in("shop", "api"))},
	} {
		t.Run(c.about, func(t *testing.T) {
			s, err := selectServices(c.flags, "ctx")
			require.NoError(t, err)
			require.Equal(t, c.namespace, s.namespace)
			require.Equal(t, c.namespaces, s.namespaces)
			require.Equal(t, c.flags.labels, s.labels)
			if c.named == nil {
				c.named = keys()
			}
			if c.except == nil {
				c.except = keys()
			}
			require.Equal(t, c.named, s.named)
			require.Equal(t, c.except, s.except)
		})
	}
}

func TestWanted(t *testing.T) {
	all, err := selectServices(selectFlags{except: []string{"web"}}, "ctx")
	require.NoError(t, err)
	require.True(t, all.wanted(in("ctx", "api")))
	require.False(t, all.wanted(in("ctx", "web")))
	require.True(t, all.wanted(in("shop", "web")), "another namespace's of that name")

	named, err := selectServices(selectFlags{args: []string{"web"}}, "ctx")
	require.NoError(t, err)
	require.True(t, named.wanted(in("ctx", "web")))
	require.False(t, named.wanted(in("ctx", "api")))
}

func TestRemaps(t *testing.T) {
	s, err := selectServices(selectFlags{namespaces: []string{"ctx", "shop"}, ports: []string{"web:8080:80", "web:8443:https", "svc/api.shop:65535:1", "web:80:080"}}, "ctx")
	require.NoError(t, err)
	require.Equal(t, []forwards.Remap{
		{Service: in("ctx", "web"), Local: 8080, Remote: "80"},
		{Service: in("ctx", "web"), Local: 8443, Remote: "https"},
		{Service: in("shop", "api"), Local: 65535, Remote: "1"},
		{Service: in("ctx", "web"), Local: 80, Remote: "080"},
	}, s.remaps)
}

func TestBadSelections(t *testing.T) {
	long := "a23456789-a23456789-a23456789-a23456789-a23456789-a23456789-a234" // 64 bytes
	for _, c := range []struct {
		about string
		flags selectFlags
		want  string
	}{
		{"namespace", selectFlags{namespaces: []string{"Demo"}}, `"Demo" is not a namespace`},
		{"empty namespace", selectFlags{namespaces: []string{""}}, `"" is not a namespace`},
		{"selector", selectFlags{labels: "=x="}, "parse label selector: "},
		{"-A and -n", selectFlags{all: true, namespaces: []string{"demo"}}, "--all-namespaces and --namespace exclude each other"},
		{"names and -l", selectFlags{args: []string{"web"}, labels: "a=b"}, "service names and --selector exclude each other"},
		{"bare name, -A", selectFlags{args: []string{"web"}, all: true}, `service "web" could be in more than one namespace`},
		{"empty name", selectFlags{args: []string{""}}, `"" is not a service name`},
		{"capital", selectFlags{args: []string{"Web"}}, `"Web" is not a service name`},
		{"hyphen first", selectFlags{args: []string{"-web"}}, `"-web" is not a service name`},
		{"hyphen last", selectFlags{args: []string{"web-"}}, `"web-" is not a service name`},
		{"space", selectFlags{args: []string{"we b"}}, `"we b" is not a service name`},
		{"too long", selectFlags{args: []string{long}}, `is not a service name`},
		{"bad namespace of a name", selectFlags{args: []string{"web.Shop"}}, `"web.Shop" is not a service name`},
		{"another kind", selectFlags{args: []string{"deploy/web"}}, `"deploy/web" is not a service`},
		{"two slashes", selectFlags{args: []string{"svc/web/x"}}, `"svc/web/x" is not a service name`},
		{"bad exception", selectFlags{except: []string{"pod/web"}}, `"pod/web" is not a service`},
		{"asked and excepted", selectFlags{args: []string{"web"}, except: []string{"svc/web"}}, "service web is both asked for and excepted"},
		{"remap of one part", selectFlags{ports: []string{"web"}}, `parse --port "web"`},
		{"remap of two parts", selectFlags{ports: []string{"8080:80"}}, `parse --port "8080:80"`},
		{"remap of four parts", selectFlags{ports: []string{"web:1:2:3"}}, `parse --port "web:1:2:3"`},
		{"remap of nothing", selectFlags{ports: []string{""}}, `parse --port ""`},
		{"remap to no port", selectFlags{ports: []string{"web:8080:"}}, `parse --port "web:8080:"`},
		{"remap of no service", selectFlags{ports: []string{":8080:80"}}, `parse --port ":8080:80": "" is not a service name`},
		{"remap of a pod", selectFlags{ports: []string{"pod/web:8080:80"}}, `parse --port "pod/web:8080:80": "pod/web" is not a service`},
		{"local port a word", selectFlags{ports: []string{"web:http:80"}}, `parse --port "web:http:80": "http" is not a port between 1 and 65535`},
		{"local port 0", selectFlags{ports: []string{"web:0:80"}}, `"0" is not a port between 1 and 65535`},
		{"local port too high", selectFlags{ports: []string{"web:65536:80"}}, `"65536" is not a port between 1 and 65535`},
		{"remote port too high", selectFlags{ports: []string{"web:80:65536"}}, `"65536" is not a port between 1 and 65535`},
		{"remote port negative", selectFlags{ports: []string{"web:80:-1"}}, `"-1" is not a port between 1 and 65535`},
		{"two remaps to one port", selectFlags{ports: []string{"web:80:8080", "web:80:9090"}}, "--port web:80:8080 and --port web:80:9090 want the same local port"},
	} {
		t.Run(c.about, func(t *testing.T) {
			_, err := selectServices(c.flags, "ctx")
			requireUsage(t, err, c.want)
		})
	}
}

// requireUsage asserts a usage error with a hint.
func requireUsage(t *testing.T, err error, want string) {
	t.Helper()
	require.ErrorContains(t, err, want)
	var told *problem.Problem
	require.ErrorAs(t, err, &told)
	require.Equal(t, problem.ExitUsage, told.Code)
	require.NotEmpty(t, told.Hint)
}

func TestKnown(t *testing.T) {
	all := discovery.Changes{
		in("ctx", "web"):    {Ports: []discovery.Port{{Name: "http", Number: 80}, {Number: 9000}}},
		in("ctx", "api"):    {Ports: []discovery.Port{{Name: "grpc", Number: 50051}}},
		in("ctx", "dns"):    {Obstacle: "UDP"},
		in("ctx", "webb"):   nil, // a slice of a service that is not there
		in("shop", "webby"): {},
	}
	for _, c := range []struct {
		about      string
		flags      selectFlags
		want, hint string
	}{
		{"nothing named", selectFlags{}, "", ""},
		{"all there", selectFlags{args: []string{"web"}, except: []string{"api"}, ports: []string{"web:1:http", "web:2:9000"}}, "", ""},
		{"one is not", selectFlags{args: []string{"web", "apu"}}, `no service "apu" in namespace "ctx"`, "did you mean api?"},
		{"a slice makes no service", selectFlags{args: []string{"webb"}}, `no service "webb" in namespace "ctx"`, "did you mean web?"},
		{"none is near", selectFlags{args: []string{"elasticsearch"}}, `no service "elasticsearch" in namespace "ctx"`,
			"'kubectl get services -n ctx' lists those there are"},
		{"an exception elsewhere is not looked for", selectFlags{except: []string{"gone.shop"}}, "", ""},
		{"an exception of all namespaces is", selectFlags{all: true, except: []string{"webbi.shop"}}, `no service "webbi" in namespace "shop"`, "did you mean webby?"},
		{"a remap's service", selectFlags{ports: []string{"apy:1:2"}}, `no service "apy" in namespace "ctx"`, "did you mean api?"},
		{"one without the labels", selectFlags{labels: "a=b", except: []string{"apu"}}, `no service "apu" with the labels a=b in namespace "ctx"`, "'kubectl get services -n ctx -l a=b' lists those there are"},
		{"a remap's port", selectFlags{ports: []string{"web:1:8080"}}, `service "web" has no TCP port "8080", as --port web:1:8080 wants`, "its ports are 80 (http), 9000"},
		{"what stands in the way is told first", selectFlags{args: []string{"dns"}, ports: []string{"dns:1:53"}}, "", ""},
	} {
		t.Run(c.about, func(t *testing.T) {
			s, err := selectServices(c.flags, "ctx")
			require.NoError(t, err)
			err = s.known(all)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, c.want)
			told := problem.Of(err)
			require.Equal(t, problem.ExitNotFound, told.Code)
			require.Equal(t, c.hint, told.Hint)
		})
	}
}

func TestAPortIsMovedToOnePlace(t *testing.T) {
	s, err := selectServices(selectFlags{ports: []string{"web:1:http", "web:2:80"}}, "ctx")
	require.NoError(t, err, "that they are one is known from the service")
	err = s.known(discovery.Changes{in("ctx", "web"): {Ports: []discovery.Port{{Name: "http", Number: 80}}}})
	requireUsage(t, err, "--port web:1:http and --port web:2:80 are for the same port")
}
