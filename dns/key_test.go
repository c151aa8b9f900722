package dns

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/dns/loopback"
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
		require.Equal(t, c.want, loopback.Address(c.key, c.attempt).String())
	}
}

func TestKeysDiffer(t *testing.T) {
	a := Key("c", Service{Namespace: "n", Name: "s"})
	b := Key("c", Service{Namespace: "n", Name: "s", Pod: "s"})
	c := Key("cn", Service{Namespace: "s"})
	require.Len(t, map[string]bool{a: true, b: true, c: true}, 3)
}
