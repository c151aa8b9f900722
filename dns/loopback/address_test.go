package loopback

import (
	"net/netip"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddressStaysClear(t *testing.T) {
	seen := make(map[netip.Addr]bool)
	for i := range 20_000 {
		addr := Address(strconv.Itoa(i), i%3)
		b := addr.As4()
		require.Equal(t, byte(127), b[0])
		require.NotZero(t, b[1], "%s belongs to the system", addr)
		require.NotZero(t, b[3], addr)
		require.NotEqual(t, byte(255), b[3], addr)
		seen[addr] = true
	}
	require.Greater(t, len(seen), 19_900, "spread over the whole range")
}
