package dns

import (
	"net/netip"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever changes these addresses breaks what people have written down.
func TestAddressIsForever(t *testing.T) {
	api := Key("kind-dev", Service{Namespace: "shop", Name: "api"})
	pod := Key("kind-dev", Service{Namespace: "shop", Name: "db", Pod: "db-0"})
	for _, c := range []struct {
		key     string
		attempt int
		want    string
	}{
		{api, 0, "127.7.199.5"},
		{api, 1, "127.139.238.83"},
		{pod, 0, "127.121.84.164"},
		{Key("", Service{}), 63, "127.245.129.148"},
	} {
		require.Equal(t, c.want, Address(c.key, c.attempt).String())
	}
}

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

func TestKeysDiffer(t *testing.T) {
	a := Key("c", Service{Namespace: "n", Name: "s"})
	b := Key("c", Service{Namespace: "n", Name: "s", Pod: "s"})
	c := Key("cn", Service{Namespace: "s"})
	require.Len(t, map[string]bool{a: true, b: true, c: true}, 3)
}
