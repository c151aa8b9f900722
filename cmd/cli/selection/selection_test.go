package selection

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/tunnel/discovery"
)

// svc is a service of a namespace.
func svc(namespace, name string) discovery.Key {
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
		flags      Flags
		namespace  string // default; "ctx" is the context's
		namespaces []string
		named      map[discovery.Key]bool
		except     map[discovery.Key]bool
	}{
		{"nothing said", Flags{}, "ctx", []string{"ctx"}, nil, nil},
		{"one namespace", Flags{Namespaces: []string{"shop"}}, "shop", []string{"shop"}, nil, nil},
		{"the first of several gives bare names", Flags{Namespaces: []string{"shop", "demo", "shop"}}, "shop",
			[]string{"demo", "shop"}, nil, nil},
		{"all namespaces", Flags{All: true}, "ctx", []string{""}, nil, nil},
		{"labels", Flags{Labels: "app in (a, b),!old"}, "ctx", []string{"ctx"}, nil, nil},
		{"a name", Flags{Args: []string{"web"}}, "ctx", []string{"ctx"}, keys(svc("ctx", "web")), nil},
		{"a name, -n", Flags{Args: []string{"web"}, Namespaces: []string{"shop"}}, "shop", []string{"shop"},
			keys(svc("shop", "web")), nil},
		{"svc/", Flags{Args: []string{"svc/web", "service/api", "services/db"}}, "ctx", []string{"ctx"},
			keys(svc("ctx", "web"), svc("ctx", "api"), svc("ctx", "db")), nil},
		{"only the namespaces of names are watched", Flags{Args: []string{"web.shop"}}, "ctx", []string{"shop"},
			keys(svc("shop", "web")), nil},
		{"a cluster name", Flags{Args: []string{"web.shop.svc.cluster.local"}}, "ctx", []string{"shop"},
			keys(svc("shop", "web")), nil},
		{"a full name with -A", Flags{Args: []string{"web.shop"}, All: true}, "ctx", []string{""}, keys(svc("shop", "web")),
			nil},
		{"a bare name of several namespaces",
			Flags{Args: []string{"web", "svc/api", "db.a"}, Except: []string{"old"}, Namespaces: []string{"a", "b"},
				homes: map[string]string{"web": "b", "old": "b", "db": "b"}}, "a", []string{"a", "b"},
			keys(svc("b", "web"), svc("a", "api"), svc("a", "db")), keys(svc("b", "old"))},
		{"all but one", Flags{Except: []string{"web", "svc/api.shop"}}, "ctx", []string{"ctx"}, nil,
			keys(svc("ctx", "web"), svc("shop", "api"))},
	} {
		t.Run(c.about, func(t *testing.T) {
			s, err := New(c.flags, "ctx")
			require.NoError(t, err)
			require.Equal(t, c.namespace, s.Namespace)
			require.Equal(t, c.namespaces, s.Namespaces)
			require.Equal(t, c.flags.Labels, s.Labels)
			if c.named == nil {
				c.named = keys()
			}
			if c.except == nil {
				c.except = keys()
			}
			require.Equal(t, c.named, s.Named)
			require.Equal(t, c.except, s.Except)
		})
	}
}

func TestWanted(t *testing.T) {
	all, err := New(Flags{Except: []string{"web"}}, "ctx")
	require.NoError(t, err)
	require.True(t, all.wanted(svc("ctx", "api")))
	require.False(t, all.wanted(svc("ctx", "web")))
	require.True(t, all.wanted(svc("shop", "web")), "another namespace's of that name")

	named, err := New(Flags{Args: []string{"web"}}, "ctx")
	require.NoError(t, err)
	require.True(t, named.wanted(svc("ctx", "web")))
	require.False(t, named.wanted(svc("ctx", "api")))
}

func TestRemaps(t *testing.T) {
	s, err := New(Flags{Namespaces: []string{"ctx", "shop"},
		Ports: []string{"web:8080:80", "web:8443:https", "svc/api.shop:65535:1", "web:80:080"}}, "ctx")
	require.NoError(t, err)
	require.Equal(t, []forwards.Remap{
		{Service: svc("ctx", "web"), Local: 8080, Remote: "80"},
		{Service: svc("ctx", "web"), Local: 8443, Remote: "https"},
		{Service: svc("shop", "api"), Local: 65535, Remote: "1"},
		{Service: svc("ctx", "web"), Local: 80, Remote: "080"},
	}, s.remaps)
}

func TestBadSelections(t *testing.T) {
	long := "a23456789-a23456789-a23456789-a23456789-a23456789-a23456789-a234" // 64 bytes
	for _, c := range []struct {
		about string
		flags Flags
		want  string
	}{
		{"namespace", Flags{Namespaces: []string{"Demo"}}, `"Demo" is not a namespace`},
		{"empty namespace", Flags{Namespaces: []string{""}}, `"" is not a namespace`},
		{"selector", Flags{Labels: "=x="}, "parse label selector: "},
		{"-A and -n", Flags{All: true, Namespaces: []string{"demo"}},
			"--all-namespaces and --namespace cannot be used together"},
		{"names and -l", Flags{Args: []string{"web"}, Labels: "a=b"},
			"service names and --selector cannot be used together"},
		{"bare name, -A", Flags{Args: []string{"web"}, All: true}, `service "web" could be in more than one namespace`},
		{"empty name", Flags{Args: []string{""}}, `"" is not a service name`},
		{"capital", Flags{Args: []string{"Web"}}, `"Web" is not a service name`},
		{"hyphen first", Flags{Args: []string{"-web"}}, `"-web" is not a service name`},
		{"hyphen last", Flags{Args: []string{"web-"}}, `"web-" is not a service name`},
		{"space", Flags{Args: []string{"we b"}}, `"we b" is not a service name`},
		{"too long", Flags{Args: []string{long}}, `is not a service name`},
		{"bad namespace of a name", Flags{Args: []string{"web.Shop"}}, `"web.Shop" is not a service name`},
		{"another kind", Flags{Args: []string{"deploy/web"}}, `"deploy/web" is not a service`},
		{"two slashes", Flags{Args: []string{"svc/web/x"}}, `"svc/web/x" is not a service name`},
		{"bad exception", Flags{Except: []string{"pod/web"}}, `"pod/web" is not a service`},
		{"asked and excepted", Flags{Args: []string{"web"}, Except: []string{"svc/web"}},
			"service web is both asked for and excepted"},
		{"remap of one part", Flags{Ports: []string{"web"}}, `parse --port "web"`},
		{"remap of two parts", Flags{Ports: []string{"8080:80"}}, `parse --port "8080:80"`},
		{"remap of four parts", Flags{Ports: []string{"web:1:2:3"}}, `parse --port "web:1:2:3"`},
		{"remap of nothing", Flags{Ports: []string{""}}, `parse --port ""`},
		{"remap to no port", Flags{Ports: []string{"web:8080:"}}, `parse --port "web:8080:"`},
		{"remap of no service", Flags{Ports: []string{":8080:80"}}, `parse --port ":8080:80": "" is not a service name`},
		{"remap of a pod", Flags{Ports: []string{"pod/web:8080:80"}},
			`--port pod/web:8080:80 is for what is not asked for`},
		{"local port a word", Flags{Ports: []string{"web:http:80"}},
			`parse --port "web:http:80": "http" is not a port between 1 and 65535`},
		{"local port 0", Flags{Ports: []string{"web:0:80"}}, `"0" is not a port between 1 and 65535`},
		{"local port too high", Flags{Ports: []string{"web:65536:80"}}, `"65536" is not a port between 1 and 65535`},
		{"remote port too high", Flags{Ports: []string{"web:80:65536"}}, `"65536" is not a port between 1 and 65535`},
		{"remote port negative", Flags{Ports: []string{"web:80:-1"}}, `"-1" is not a port between 1 and 65535`},
		{"two remaps to one port", Flags{Ports: []string{"web:80:8080", "web:80:9090"}},
			"--port web:80:8080 and --port web:80:9090 want the same local port"},
	} {
		t.Run(c.about, func(t *testing.T) {
			_, err := New(c.flags, "ctx")
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
		svc("ctx", "web"):    {Ports: []discovery.Port{{Name: "http", Number: 80}, {Number: 9000}}},
		svc("ctx", "api"):    {Ports: []discovery.Port{{Name: "grpc", Number: 50051}}},
		svc("ctx", "dns"):    {Obstacle: "UDP"},
		svc("ctx", "webb"):   nil, // a slice of a service that is not there
		svc("shop", "webby"): {},
	}
	for _, c := range []struct {
		about      string
		flags      Flags
		want, hint string
	}{
		{"nothing named", Flags{}, "", ""},
		{"all there", Flags{Args: []string{"web"}, Except: []string{"api"}, Ports: []string{"web:1:http", "web:2:9000"}}, "",
			""},
		{"one is not", Flags{Args: []string{"web", "apu"}}, `no service "apu" in namespace "ctx"`, "did you mean api?"},
		{"a slice makes no service", Flags{Args: []string{"webb"}}, `no service "webb" in namespace "ctx"`,
			"did you mean web?"},
		{"none is near", Flags{Args: []string{"elasticsearch"}}, `no service "elasticsearch" in namespace "ctx"`,
			"'kubectl get services -n ctx' lists those there are"},
		{"an exception elsewhere is not looked for", Flags{Except: []string{"gone.shop"}}, "", ""},
		{"an exception of all namespaces is", Flags{All: true, Except: []string{"webbi.shop"}},
			`no service "webbi" in namespace "shop"`, "did you mean webby?"},
		{"a remap's service", Flags{Ports: []string{"apy:1:2"}}, `no service "apy" in namespace "ctx"`, "did you mean api?"},
		{"one without the labels", Flags{Labels: "a=b", Except: []string{"apu"}},
			`no service "apu" with the labels a=b in namespace "ctx"`,
			"'kubectl get services -n ctx -l a=b' lists those there are"},
		{"a remap's port", Flags{Ports: []string{"web:1:8080"}},
			`service "web" has no TCP port "8080", as --port web:1:8080 wants`, "its ports are 80 (http), 9000"},
		{"what stands in the way is told first", Flags{Args: []string{"dns"}, Ports: []string{"dns:1:53"}}, "", ""},
	} {
		t.Run(c.about, func(t *testing.T) {
			s, err := New(c.flags, "ctx")
			require.NoError(t, err)
			err = s.Check(all)
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
	s, err := New(Flags{Ports: []string{"web:1:http", "web:2:80"}}, "ctx")
	require.NoError(t, err, "that they are one is known from the service")
	err = s.Check(discovery.Changes{svc("ctx", "web"): {Ports: []discovery.Port{{Name: "http", Number: 80}}}})
	requireUsage(t, err, "--port web:1:http and --port web:2:80 are for the same port")
}
