package relay

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseTarget(t *testing.T) {
	for text, want := range map[string]Target{
		"host/db.internal:5432":     {TCP, "db.internal", 5432},
		"host/db.internal:5432/tcp": {TCP, "db.internal", 5432},
		"host/DB.Internal.:53/udp":  {UDP, "db.internal", 53},
		"ip/10.1.2.3:80":            {TCP, "10.1.2.3", 80},
		"ip/[fd00::0:1]:80/udp":     {UDP, "fd00::1", 80},
		"ip/[::ffff:10.1.2.3]:80":   {TCP, "10.1.2.3", 80},
	} {
		got, err := ParseTarget(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
		again, err := ParseTarget(got.String())
		require.NoError(t, err, text)
		require.Equal(t, want, again, text)
	}
	for text, want := range map[string]string{
		"":                     "write it as",
		"db.internal:5432":     "write it as",
		"svc/db:5432":          "write it as",
		"host/db.internal":     "write it as",
		"host/:80":             "write it as",
		"host/db:http":         `"http" is not a port`,
		"host/db:0":            `"0" is not a port`,
		"host/db:65536":        `"65536" is not a port`,
		"host/db:53/sctp":      `protocol "sctp" is neither tcp nor udp`,
		"host/db:53/udp/x":     `protocol "udp/x" is neither`,
		"host/d b:53":          `"d b" is not a name`,
		"host/10.0.0.1:53":     "write it as ip/10.0.0.1:53",
		"ip/db:80":             `"db" is not an address`,
		"ip/010.0.0.1:80":      "is not an address",
		"ip/[fe80::1%eth0]:80": "is one of a link only",
	} {
		_, err := ParseTarget(text)
		require.ErrorContains(t, err, want, text)
	}
}
