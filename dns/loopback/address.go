package loopback

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
)

// The addresses to choose from: 127.b.c.d with b in 1..255, c in 0..255 and d
// in 1..254. 127.0.0.0/16 is left to the system (127.0.0.1, systemd-resolved's
// 127.0.0.53, Debian's 127.0.1.1), last bytes 0 and 255 to programs that think
// in networks of 256 addresses.
const (
	secondBytes = 255
	thirdBytes  = 256
	lastBytes   = 254
	addresses   = secondBytes * thirdBytes * lastBytes
)

// Address derives the loopback address number attempt (0, 1, 2, …) from key.
// It is a pure function and stays what it is from release to release: people
// put these addresses into bookmarks and firewalls.
func Address(key string, attempt int) netip.Addr {
	h := sha256.New()
	h.Write([]byte(key))
	h.Write(binary.BigEndian.AppendUint32([]byte{0}, uint32(attempt)))
	n := binary.BigEndian.Uint64(h.Sum(nil)) % addresses
	return netip.AddrFrom4([4]byte{
		127,
		byte(1 + n/(thirdBytes*lastBytes)),
		byte(n / lastBytes % thirdBytes),
		byte(1 + n%lastBytes),
	})
}

// Check refuses every address but IPv4 loopback: a name must not lead where devtun
// does not listen, and it listens on no others but pods' own.
func Check(addr netip.Addr) error {
	if !addr.Is4() || !addr.IsLoopback() {
		return fmt.Errorf("address %s is not IPv4 loopback", addr)
	}
	return nil
}

// CheckManaged refuses addresses that Address never gives.
func CheckManaged(addr netip.Addr) error {
	if err := Check(addr); err != nil {
		return err
	}
	if b := addr.As4(); b[1] == 0 || b[3] == 0 || b[3] == 255 {
		return fmt.Errorf("address %s is none that devtun gives a service", addr)
	}
	return nil
}
