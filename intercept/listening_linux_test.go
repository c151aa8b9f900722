package intercept

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// As a little-endian machine's kernel writes it.
const (
	tableOfIPv4 = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:9C40 03 00000000:00000000 00:00000000 00000000     0        0 0 1 0000000000000000 100 0 0 10 0
   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4243 1 0000000000000000 100 0 0 10 0
   3: 0100007F:1F91 0100007F:9C41 01 00000000:00000000 00:00000000 00000000     0        0 4244 1 0000000000000000 100 0 0 10 0
   4: nonsense is not reached
`
	tableOfIPv6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4245 1 0000000000000000 100 0 0 10 0
   1: 0000000000000000FFFF00000100007F:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4246 1 0000000000000000 100 0 0 10 0
`
)

func TestParseTable(t *testing.T) {
	at, err := parseAddress("0100007F:0001")
	require.NoError(t, err)
	if at.Addr().String() != "127.0.0.1" {
		t.Skip("the tables are a little-endian machine's")
	}
	sockets, err := parseTable(strings.NewReader(tableOfIPv4))
	require.NoError(t, err)
	require.Equal(t, []socket{
		{netip.MustParseAddrPort("127.0.0.1:8080"), 4242},
		{netip.MustParseAddrPort("0.0.0.0:22"), 4243},
	}, sockets)
	sockets, err = parseTable(strings.NewReader(tableOfIPv6))
	require.NoError(t, err)
	require.Equal(t, []socket{
		{netip.MustParseAddrPort("[::1]:8080"), 4245},
		{netip.MustParseAddrPort("[::ffff:127.0.0.1]:8081"), 4246},
	}, sockets)

	_, err = parseTable(strings.NewReader("heading\n 0: zz:1 x 0A a b c d e 1\n"))
	require.ErrorContains(t, err, "unexpected address")
}

func TestListening(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"} {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Logf("%s: %v", address, err)
			continue
		}
		defer listener.Close()
		all, err := listening()
		require.NoError(t, err)
		found := false
		for _, socket := range all {
			found = found || socket.at.Port() == uint16(listener.Addr().(*net.TCPAddr).Port)
		}
		require.True(t, found, address)
	}
}
