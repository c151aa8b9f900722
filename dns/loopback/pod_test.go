package loopback

import (
	"context"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/internal/proc"
)

func TestPrivateRanges(t *testing.T) {
	for text, private := range map[string]bool{
		"10.244.1.5": true, "172.16.0.1": true, "172.31.255.254": true, "192.168.3.4": true, "100.64.0.1": true,
		"100.127.255.1": true, "fd00::5": true, "fc00::1": true,
		"127.0.0.1": false, "127.1.2.3": false, "172.32.0.1": false, "100.128.0.1": false, "8.8.8.8": false,
		"169.254.169.254": false, "0.0.0.0": false, "255.255.255.255": false, "224.0.0.1": false, "::1": false,
		"2001:db8::1": false, "fe80::1": false, "fd00::5%eth0": false, "::ffff:10.0.0.1": false,
	} {
		require.Equal(t, private, CheckPod(addr(text)) == nil, text)
	}
	require.Error(t, CheckPod(netip.Addr{}))
}

var podAddress = addr("10.244.1.5")

// One session has a pod's address, and another goes without until it is given up.
func TestAPodsAddressIsOnes(t *testing.T) {
	ctx := t.Context()
	_, process := aliasMachine(t)
	first, second := process(2), process(3)
	first.alive = func(o proc.ID) bool { return o.PID != 1 }
	second.alive = first.alive
	require.NoError(t, first.Add(ctx, podAddress))
	require.NoError(t, first.Add(ctx, podAddress), "twice is fine")
	requireAliases(t, first, podAddress, deadAlias)
	require.True(t, first.Owned(podAddress))
	require.False(t, second.Owned(podAddress))

	var held *HeldError
	require.ErrorAs(t, second.Add(ctx, podAddress), &held)
	require.Equal(t, first.owner, held.Owner)
	require.ErrorContains(t, held, "another devtun (pid 2) has 10.244.1.5")
	require.NoError(t, second.Remove(ctx, podAddress))
	require.True(t, first.Owned(podAddress))

	require.NoError(t, first.Remove(ctx, podAddress))
	require.False(t, first.Owned(podAddress))
	require.NoError(t, second.Add(ctx, podAddress))
	require.NoError(t, second.Add(ctx, addr("fd00::5")))
	require.NoError(t, second.RemoveAll(ctx))
	requireAliases(t, second, deadAlias)
}

// What a dead session has left, the next one takes over, or removes.
func TestADeadSessionsPodAddress(t *testing.T) {
	ctx := t.Context()
	_, process := aliasMachine(t)
	require.NoError(t, process(2).Add(ctx, podAddress))
	next := process(3)
	stale, err := next.Stale()
	require.NoError(t, err)
	require.Equal(t, []netip.Addr{podAddress, deadAlias}, stale)
	require.NoError(t, next.Add(ctx, podAddress))
	require.True(t, next.Owned(podAddress))
	require.NoError(t, process(2).Remove(ctx, podAddress), "too late")
	requireAliases(t, next, podAddress, deadAlias)

	removed, err := process(4).Clean(ctx)
	require.NoError(t, err)
	require.Equal(t, []netip.Addr{podAddress, deadAlias}, removed)
	requireAliases(t, next)
}

// Where this machine has a route of its own, the address is refused, and nothing
// is changed or asked for.
func TestAPodsAddressThatIsRouted(t *testing.T) {
	ctx := t.Context()
	for about, c := range map[string]struct {
		route Route
		want  string
	}{
		"no route":          {Route{}, ""},
		"the default route": {Route{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Device: "eth0"}, ""},
		"half of all":       {Route{Prefix: netip.MustParsePrefix("0.0.0.0/1"), Device: "tun0"}, ""},
		"a route": {Route{Prefix: netip.MustParsePrefix("10.244.0.0/16"), Device: "tun0"},
			"this machine has a route to 10.244.1.5: 10.244.0.0/16 by tun0"},
		"an address of its own": {Route{Prefix: netip.MustParsePrefix("10.244.1.5/32"), Device: "eth0", Local: true},
			"10.244.1.5 is an address of this machine (eth0)"},
	} {
		t.Run(about, func(t *testing.T) {
			lo, process := aliasMachine(t)
			lo.routes = map[netip.Addr]Route{podAddress: c.route}
			a := process(2)
			err := a.Add(ctx, podAddress)
			if c.want == "" {
				require.NoError(t, err)
				requireAliases(t, a, podAddress, deadAlias)
				return
			}
			var routed *RouteError
			require.ErrorAs(t, err, &routed)
			require.ErrorContains(t, err, c.want)
			requireAliases(t, a, deadAlias)
		})
	}
}

// Who is connected to an address needs it as it is.
func TestAPodsAddressThatIsUsed(t *testing.T) {
	lo, process := aliasMachine(t)
	lo.peers = map[netip.Addr]bool{podAddress: true}
	a := process(2)
	require.ErrorAs(t, a.Add(t.Context(), podAddress), new(*UsedError))
	requireAliases(t, a, deadAlias)
	lo.peers = nil
	require.NoError(t, a.Add(t.Context(), podAddress))
	lo.peers = map[netip.Addr]bool{podAddress: true} // by way of devtun
	require.NoError(t, a.Add(t.Context(), podAddress))
}

// TestPodAddressesKilledAtEveryOperation kills a session at each operation in turn; who
// comes next leaves nothing of it.
func TestPodAddressesKilledAtEveryOperation(t *testing.T) {
	ctx := t.Context()
	for k, completed := 1, false; !completed; k++ {
		_, process := aliasMachine(t)
		victim, finder := process(2), process(3)
		count := stepFrom(victim, k, never, errKilled)
		err := victim.Add(ctx, podAddress)
		if err == nil {
			err = victim.Remove(ctx, podAddress)
		}
		if completed = *count < k; !completed {
			require.ErrorIs(t, err, errKilled)
		}
		stepFrom(finder, never, never, nil)
		_, err = finder.Clean(ctx)
		require.NoError(t, err)
		requireAliases(t, finder)
	}
}

func TestUnsupportedWhereThereIsNoInterface(t *testing.T) {
	require.ErrorContains(t, new(Aliases).Add(context.Background(), podAddress), "unsupported")
	require.NoError(t, new(Aliases).RemoveAll(t.Context()))
	require.False(t, new(Aliases).Owned(podAddress))
}
