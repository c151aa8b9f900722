package hostsfile

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckName(t *testing.T) {
	for _, name := range []string{"a", "a-b.c", "0a", "a.0a", "api.shop.svc.cluster.local", "1.10.svc", "x.0xg"} {
		require.NoError(t, CheckName(name), name)
	}
	for _, name := range []string{
		"", ".", "a.", ".a", "a..b", "-a", "a-", "a_b", "A", "ä", "a b", "a\x00", "a\tb", "a#b", "a\r",
		strings.Repeat("a", 64), strings.Repeat("a.", 127) + "a",
		"localhost", "x.localhost", "10", "1.2", "127.0.0.1", "a.0x1f",
	} {
		require.Error(t, CheckName(name), "%q", name)
	}
}
