package cluster

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNetworkLayout(t *testing.T) {
	n := network{netip.MustParsePrefix("10.200.48.0/20")}
	require.Equal(t, "10.200.48.1", n.host().String())
	require.Equal(t, "10.200.48.2", n.node().String())
	require.Equal(t, "10.200.50.0/23", n.pods().String())
	require.Equal(t, "10.200.56.0/21", n.services().String())
	require.Equal(t, "10.200.56.1", n.api().String())
	require.Equal(t, "10.200.56.10", n.dns().String())

	link := netip.PrefixFrom(n.host(), linkBits).Masked()
	require.True(t, link.Contains(n.node()))
	for _, part := range []netip.Prefix{link, n.pods(), n.services()} {
		require.Equal(t, part, part.Masked(), "no bit of the host is set")
		require.True(t, n.block.Contains(part.Addr()))
		require.Greater(t, part.Bits(), n.block.Bits())
	}
	require.False(t, link.Overlaps(n.pods()))
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

	inside := netip.PrefixFrom(network{first}.node(), 32)
	next, err := freeBlock("some", []netip.Prefix{inside})
	require.NoError(t, err)
	require.False(t, next.Overlaps(first))

	// Every block of the pool but the last is taken: that one is found.
	last := netip.MustParsePrefix("10.255.240.0/20")
	var taken []netip.Prefix
	for block := pool.Addr(); block.Less(last.Addr()); {
		prefix := netip.PrefixFrom(block, blockBits)
		taken = append(taken, prefix)
		b := block.As4()
		b[2] += 16
		if b[2] == 0 {
			b[1]++
		}
		block = netip.AddrFrom4(b)
	}
	require.Len(t, taken, 1023)
	only, err := freeBlock("some", taken)
	require.NoError(t, err)
	require.Equal(t, last, only)

	_, err = freeBlock("some", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	require.ErrorContains(t, err, pool.String())
}
