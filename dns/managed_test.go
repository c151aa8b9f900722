package dns

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/dns/loopback"
)

func TestWhatDevtunAsksForIsManaged(t *testing.T) {
	for _, naming := range []Naming{{}, {Default: "shop"}, {Domain: "corp.example"}, {Default: "shop", Domain: "svc"}} {
		for _, s := range []Service{
			{Namespace: "shop", Name: "api"},
			{Namespace: "svc", Name: "svc"},
			{Namespace: "shop", Name: "store", Pod: "store-0"},
			{Namespace: "svc", Name: "svc", Pod: "svc"},
			{Namespace: "shop", Name: "localhost"}, // has no bare name
			{Namespace: "shop", Name: "db.internal", Kind: Host},
			{Namespace: "shop", Name: "store-0", Kind: Object},
		} {
			names, err := naming.Names(s)
			require.NoError(t, err)
			require.NoError(t, CheckManaged([]hostsfile.Entry{{Addr: loopback.Address(Key("c", s), 0), Names: names}}))
			for _, naming.Taken = range [][]string{names[:1], names[len(names)-1:], {names[0], names[len(names)-1]}} {
				names, err := naming.Names(s)
				require.NoError(t, err)
				if len(names) == 0 { // a host's only one
					continue
				}
				entry := hostsfile.Entry{Addr: loopback.Address(Key("c", s), 0), Names: names}
				require.NoError(t, CheckManaged([]hostsfile.Entry{entry}), "without %v", naming.Taken)
			}
		}
	}
}

func TestWhatDevtunNeverAsksForIsNot(t *testing.T) {
	good := someEntries(1)[0]
	for about, e := range map[string]hostsfile.Entry{
		"no name":            {Addr: good.Addr},
		"two of their own":   {Addr: good.Addr, Names: []string{"example.com", "example.org"}},
		"a name more":        {Addr: good.Addr, Names: append([]string{"bank.example"}, good.Names...)},
		"another order":      {Addr: good.Addr, Names: []string{good.Names[1], good.Names[0], good.Names[2], good.Names[3]}},
		"localhost":          {Addr: good.Addr, Names: []string{"localhost"}},
		"the machine's":      {Addr: addr("127.0.0.1"), Names: good.Names},
		"systemd-resolved's": {Addr: addr("127.0.0.53"), Names: good.Names},
		"a network":          {Addr: addr("127.9.9.0"), Names: good.Names},
		"a broadcast":        {Addr: addr("127.9.9.255"), Names: good.Names},
		"the network's":      {Addr: addr("10.0.0.1"), Names: good.Names},
		"no address":         {Names: good.Names},
		"two lines":          {Addr: good.Addr, Names: []string{"a\n10.0.0.1 b"}},
		"a short domain":     {Addr: good.Addr, Names: []string{"a.b", "a.b.svc", "a.b.svc."}},
	} {
		require.Error(t, CheckManaged([]hostsfile.Entry{good, e}), about)
	}
}
