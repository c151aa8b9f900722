package loopback

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIfconfig(t *testing.T) {
	for address, want := range map[string][2]string{
		"127.1.2.3":  {"lo0 alias 127.1.2.3 255.255.255.255", "lo0 -alias 127.1.2.3"},
		"10.244.1.5": {"lo0 alias 10.244.1.5 255.255.255.255", "lo0 -alias 10.244.1.5"},
		"fd00::5":    {"lo0 inet6 fd00::5 prefixlen 128 alias", "lo0 inet6 fd00::5 -alias"},
	} {
		require.Equal(t, want[0], strings.Join(addArguments(addr(address)), " "))
		require.Equal(t, want[1], strings.Join(removeArguments(addr(address)), " "))
	}
}

func TestParseRoute(t *testing.T) {
	const byDefault = `   route to: 10.244.1.5
destination: default
       mask: default
    gateway: 192.168.1.1
  interface: en0
      flags: <UP,GATEWAY,DONE,STATIC,PRCLONING,GLOBAL>
 recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire
       0         0         0         0         0         0      1500         0
`
	for about, c := range map[string]struct {
		said string
		want Route
	}{
		"the default route": {byDefault, Route{Device: "en0"}},
		"a VPN": {`   route to: 10.244.1.5
destination: 10.0.0.0
       mask: 255.0.0.0
  interface: utun3
      flags: <UP,DONE,CLONING,STATIC>
`, Route{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Device: "utun3"}},
		"a host": {`   route to: 10.244.1.5
destination: 10.244.1.5
    gateway: 192.168.1.7
  interface: en0
      flags: <UP,GATEWAY,HOST,DONE,STATIC>
`, Route{Prefix: netip.MustParsePrefix("10.244.1.5/32"), Device: "en0"}},
		"this machine": {`   route to: 10.244.1.5
destination: 10.244.1.5
  interface: lo0
      flags: <UP,HOST,DONE,LOCAL>
`, Route{Prefix: netip.MustParsePrefix("10.244.1.5/32"), Device: "lo0", Local: true}},
		"IPv6": {`   route to: fd00::5
destination: fd00::
       mask: ffff:ffff::
  interface: utun3
`, Route{Prefix: netip.MustParsePrefix("fd00::/32"), Device: "utun3"}},
		"none": {"route: writing to routing socket: not in table\n", Route{}},
	} {
		answer, ok := parseRoute(c.said)
		require.True(t, ok, about)
		require.Equal(t, c.want, answer.Route, about)
	}
	_, ok := parseRoute("route: must be root\n")
	require.False(t, ok)

	// What was lately sent by the default route has an entry of its own.
	cloned, ok := parseRoute(strings.NewReplacer("destination: default", "destination: 10.244.1.5", "mask: default", "",
		"PRCLONING", "WASCLONED").Replace(byDefault))
	require.True(t, ok)
	all, _ := parseRoute(byDefault)
	require.True(t, cloned.cloned)
	require.True(t, cloned.sameWay(all))
}
