package selection

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/tunnel/discovery"
)

func TestTargets(t *testing.T) {
	target := func(kind discovery.Kind, namespace, name string, port int, udp bool) discovery.Target {
		return discovery.Target{Key: discovery.TargetKey(kind, namespace, name), Port: port, UDP: udp}
	}
	for arg, want := range map[string]discovery.Target{
		"pod/web-0:8080":           target("pod", "ctx", "web-0", 8080, false),
		"po/web-0.shop:8080/tcp":   target("pod", "shop", "web-0", 8080, false),
		"pods/dns:53/udp":          target("pod", "ctx", "dns", 53, true),
		"vm/old:22":                target("vm", "ctx", "old", 22, false),
		"ip/10.1.2.3:5432":         target("ip", "ctx", "10.1.2.3", 5432, false),
		"ip/[fd00::1]:53/udp":      target("ip", "ctx", "fd00::1", 53, true),
		"ip/[::ffff:10.1.2.3]:80":  target("ip", "ctx", "10.1.2.3", 80, false),
		"host/db.internal:5432":    target("host", "ctx", "db.internal", 5432, false),
		"host/DB.Internal.:53/udp": target("host", "ctx", "db.internal", 53, true),
	} {
		s, err := New(Flags{Args: []string{arg, arg}, Relay: true}, "ctx")
		require.NoError(t, err, arg)
		require.Equal(t, []discovery.Target{want}, s.Targets, arg)
		require.True(t, s.wanted(want.Key), arg)
		require.False(t, s.wanted(svc("ctx", "web")), arg)
		require.Equal(t, []string{want.Key.Namespace}, s.Namespaces)
		require.Equal(t, s.Targets, s.Scope().Targets)
	}
}

func TestBadTargets(t *testing.T) {
	for _, c := range []struct {
		arg, want, hint string
		withoutRelay    bool
	}{
		{"pod/web-0", "parse pod/web-0: address web-0: missing port in address", targetHint, false},
		{"pod/web-0:http", `parse pod/web-0:http: "http" is not a port between 1 and 65535`, targetHint, false},
		{"pod/Web:80", `"Web" is not a name of a pod`, targetHint, false},
		{"pod/:80", `"" is not a name of a pod`, targetHint, false},
		{"vm/old.Shop:80", `"old" is not a name of a vm`, targetHint, false},
		{"host/10.1.2.3:80", `"10.1.2.3" is not a name`, "for an address write ip/10.1.2.3", false},
		{"host/localhost:80", `reserved name "localhost": it belongs to this machine`, targetHint, false},
		{"host/a b:80", `name "a b": label "a b": byte ' ' is not allowed there`, targetHint, false},
		{"ip/db.internal:80", `"db.internal" is not an address`, "for a name write host/db.internal", false},
		{"ip/169.254.169.254:80", "a relay does not connect to 169.254.169.254: it is of one machine, or of one link",
			"name an address that pods can reach", false},
		{"ip/127.0.0.1:80", "a relay does not connect to 127.0.0.1", "name an address that pods can reach", false},
		{"ip/[::ffff:127.0.0.1]:80", "a relay does not connect to 127.0.0.1", "name an address that pods can reach", false},
		{"ip/[fe80::1%eth0]:80", "a relay does not connect to fe80::1%eth0", "name an address that pods can reach", false},
		{"ip/0.0.0.0:80", "a relay does not connect to 0.0.0.0", "name an address that pods can reach", false},
		{"ip/224.0.0.1:80", "a relay does not connect to 224.0.0.1", "name an address that pods can reach", false},
		{"host/db.internal:5432", "only a relay reaches host/db.internal:5432", "add --relay", true},
		{"ip/10.1.2.3:80", "only a relay reaches ip/10.1.2.3:80", "add --relay", true},
		{"pod/dns:53/udp", "only a relay reaches pod/dns:53/udp", "add --relay", true},
		{"vm/old:22", "", "", true},
		{"pod/web-0:80", "", "", true},
	} {
		_, err := New(Flags{Args: []string{c.arg}, Relay: !c.withoutRelay}, "ctx")
		if c.want == "" {
			require.NoError(t, err, c.arg)
			continue
		}
		requireUsage(t, err, c.want)
		require.Equal(t, c.hint, problem.Of(err).Hint)
	}
}

func TestReach(t *testing.T) {
	s, err := New(Flags{Relay: true, Args: []string{
		"host/db.internal:5432", "host/db.internal:53/udp", "ip/[fd00::1]:80", "ip/10.1.2.3:80", "pod/web-0:80", "web"}},
		"ctx")
	require.NoError(t, err)
	require.Equal(t, []string{"host/db.internal:5432", "host/db.internal:53/udp", "ip/[fd00::1]:80", "ip/10.1.2.3:80"},
		s.Reach())
	require.True(t, s.Named[svc("ctx", "web")])

	none, err := New(Flags{}, "ctx")
	require.NoError(t, err)
	require.Empty(t, none.Reach())
}

func TestPortsOfTargetsMove(t *testing.T) {
	s, err := New(Flags{Relay: true, Args: []string{"host/db.internal:80", "ip/[fd00::1]:80", "pod/web-0:80"},
		Ports: []string{"host/db.internal:8080:80", "ip/[fd00::1]:8081:80", "pod/web-0:8082:80"}}, "ctx")
	require.NoError(t, err)
	for i, key := range []discovery.Key{discovery.TargetKey("host", "ctx", "db.internal"),
		discovery.TargetKey("ip", "ctx", "fd00::1"), discovery.TargetKey("pod", "ctx", "web-0")} {
		require.Equal(t, key, s.remaps[i].Service)
		require.Equal(t, 8080+i, s.remaps[i].Local)
	}
}

func TestTargetsThatAreNotThere(t *testing.T) {
	s, err := New(Flags{Args: []string{"pod/web-0:80"}}, "ctx")
	require.NoError(t, err)
	err = s.Check(discovery.Changes{})
	require.EqualError(t, err, `no pod "web-0" in namespace "ctx"`)
	require.Equal(t, problem.ExitNotFound, problem.Of(err).Code)
	s, err = New(Flags{Args: []string{"vm/old.shop:80"}}, "ctx")
	require.NoError(t, err)
	require.EqualError(t, s.Check(discovery.Changes{}),
		`no pod of a virtual machine "old" in namespace "shop": is it running?`)
}

func TestWhatNeedsARelayIsForwardableWithOne(t *testing.T) {
	key := svc("ctx", "dns")
	all := discovery.Changes{key: {Key: key, Ports: []discovery.Port{{Name: "dns", Number: 53, UDP: true}}}}
	for _, relay := range []bool{true, false} {
		s, err := New(Flags{Args: []string{"dns"}, Ports: []string{"dns:5353:53"}, Relay: relay}, "ctx")
		require.NoError(t, err)
		require.NoError(t, s.Check(all))
		if relay {
			require.NoError(t, s.Forwardable(all))
		} else {
			require.ErrorContains(t, s.Forwardable(all), "--relay reaches it")
		}
	}
}
