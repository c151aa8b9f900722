package cluster

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNetworkLayout(t *testing.T) {
	n := network{netip.MustParsePrefix("10.200.64.0/19")}
	require.Equal(t, "10.200.64.1", n.gateway(1).String())
	require.Equal(t, "10.200.64.2", n.node(1).String())
	require.Equal(t, "10.200.64.5", n.gateway(2).String())
	require.Equal(t, "10.200.64.6", n.node(2).String())
	require.Equal(t, "10.200.64.0/23", n.links().String())
	require.Equal(t, "10.200.80.0/20", n.pods().String())
	require.Equal(t, "10.200.80.0/22", n.podsOf(1).String())
	require.Equal(t, "10.200.84.0/22", n.podsOf(2).String())
	require.Equal(t, "10.200.72.0/21", n.services().String())
	require.Equal(t, "10.200.72.1", n.api().String())
	require.Equal(t, "10.200.72.10", n.dns().String())

	for number := 1; number <= MaxNodes; number++ {
		link := netip.PrefixFrom(n.gateway(number), linkBits).Masked()
		require.True(t, link.Contains(n.node(number)))
		require.True(t, n.links().Overlaps(link))
		require.True(t, n.pods().Contains(n.podsOf(number).Addr()))
		require.NotContains(t, n.beyond(number), n.podsOf(number))
		require.Contains(t, n.beyond(number), n.services())
	}
	_, last := n.joint(MaxJoined)
	require.True(t, n.links().Contains(last))
	for _, part := range []netip.Prefix{n.links(), n.pods(), n.podsOf(MaxNodes), n.services()} {
		require.Equal(t, part, part.Masked(), "no bit of the host is set")
		require.True(t, n.block.Contains(part.Addr()))
		require.Greater(t, part.Bits(), n.block.Bits())
	}
	require.False(t, n.links().Overlaps(n.pods()))
	require.False(t, n.links().Overlaps(n.services()))
	require.False(t, n.pods().Overlaps(n.services()))
	require.True(t, n.services().Contains(n.dns()))
}

func TestFreeBlock(t *testing.T) {
	first, err := freeBlock("some", nil)
	require.NoError(t, err)
	require.True(t, pool.Contains(first.Addr()))
	require.Equal(t, first.Masked(), first)

	again, err := freeBlock("some", nil)
	require.NoError(t, err)
	require.Equal(t, first, again, "the same cluster starts at the same place")

	inside := netip.PrefixFrom(network{first}.node(1), 32)
	next, err := freeBlock("some", []netip.Prefix{inside})
	require.NoError(t, err)
	require.False(t, next.Overlaps(first))

	// Every block of the pool but the last is taken: that one is found.
	last := netip.MustParsePrefix("10.255.224.0/19")
	var taken []netip.Prefix
	for block := pool.Addr(); block.Less(last.Addr()); {
		prefix := netip.PrefixFrom(block, blockBits)
		taken = append(taken, prefix)
		b := block.As4()
		b[2] += 32
		if b[2] == 0 {
			b[1]++
		}
		block = netip.AddrFrom4(b)
	}
	require.Len(t, taken, 511)
	only, err := freeBlock("some", taken)
	require.NoError(t, err)
	require.Equal(t, last, only)

	_, err = freeBlock("some", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	require.ErrorContains(t, err, pool.String())
}
