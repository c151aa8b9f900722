package helper

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/loopback"
)

// FuzzRequest feeds the helper messages. What it takes is what devtun may ask for,
// and means the same when it is said again.
func FuzzRequest(f *testing.F) {
	for _, r := range []request{
		{Do: setNames}, {Do: setNames, Entries: someEntries(2)},
		{Do: listen, Listen: netip.MustParseAddrPort("127.1.2.3:80")},
		{Do: listenPacket, Listen: netip.MustParseAddrPort("[fd00::5]:53")},
		{Do: addAddress, Addr: netip.MustParseAddr("127.1.2.3")},
		{Do: addAddress, Addr: netip.MustParseAddr("10.244.1.5")},
		{Do: removeAddress, Addr: netip.MustParseAddr("127.1.2.3")},
	} {
		message, err := json.Marshal(r)
		require.NoError(f, err)
		f.Add(message)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		r, err := parseRequest(message)
		if err != nil {
			return
		}
		require.NoError(t, dns.CheckManaged(r.Entries))
		if r.Listen.IsValid() {
			requireGiven(t, r.Listen.Addr())
			require.NotZero(t, r.Listen.Port())
		}
		if r.Addr.IsValid() {
			requireGiven(t, r.Addr)
		}
		again, err := json.Marshal(r)
		require.NoError(t, err)
		same, err := parseRequest(again)
		require.NoError(t, err)
		require.Equal(t, len(r.Entries), len(same.Entries))
		require.Equal(t, r.Do, same.Do)
	})
}

// requireGiven checks that addr is a service's or a pod's.
func requireGiven(t *testing.T, addr netip.Addr) {
	t.Helper()
	if loopback.CheckManaged(addr) != nil {
		require.NoError(t, loopback.CheckPod(addr))
	}
}

// FuzzFrame feeds bytes that pretend to be a frame: no more is read than was
// announced, and never more than the bound.
func FuzzFrame(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, '{', '}'})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0, 9, 'x'})
	f.Fuzz(func(t *testing.T, sent []byte) {
		if len(sent) < headerLen {
			return
		}
		rest := bytes.NewReader(sent[headerLen:])
		message, err := readFrame(rest, [headerLen]byte(sent))
		if err != nil {
			return
		}
		frame, err := newFrame(message)
		require.NoError(t, err)
		require.Equal(t, sent[:len(frame)], frame)
		require.Equal(t, len(sent)-len(frame), rest.Len())
	})
}
