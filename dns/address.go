package dns

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"strings"
)

// The addresses to choose from: 127.b.c.d with b in 1..255, c in 0..255 and d
// in 1..254. 127.0.0.0/16 is left to the system (127.0.0.1, systemd-resolved's
// 127.0.0.53, Debian's 127.0.1.1), last bytes 0 and 255 to programs that think
// in networks of 256 addresses.
const (
	seconds   = 255
	thirds    = 256
	lasts     = 254
	addresses = seconds * thirds * lasts
)

// Key is what an address is derived from: the cluster (the kubeconfig context)
// and the service, or the pod in it.
func Key(cluster string, s Service) string {
	return strings.Join([]string{cluster, s.Namespace, s.Name, s.Pod}, "\x00")
}

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
		byte(1 + n/(thirds*lasts)),
		byte(n / lasts % thirds),
		byte(1 + n%lasts),
	})
}
