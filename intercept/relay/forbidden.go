package relay

import "net/netip"

// metadata are addresses outside the link-local ones at which clouds tell a machine its
// credentials.
var metadata = map[netip.Addr]bool{
	netip.MustParseAddr("100.100.100.200"):    true, // Alibaba Cloud
	netip.MustParseAddr("168.63.129.16"):      true, // Azure
	netip.MustParseAddr("192.0.0.192"):        true, // Oracle Cloud
	netip.MustParseAddr("fd00:c1::a9fe:a9fe"): true,
	netip.MustParseAddr("fd00:ec2::254"):      true, // AWS
	netip.MustParseAddr("fd20:ce::254"):       true, // Google Cloud
}

var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")
	broadcast   = netip.MustParseAddr("255.255.255.255")
)

// never says why nobody may have a relay connect to an address; "" if somebody may.
func never(a netip.Addr) string {
	for _, a := range meant(a) {
		switch {
		case !a.IsValid() || a.Zone() != "" || a.IsUnspecified() || thisNetwork.Contains(a) || a == broadcast:
			return "is no address of a host"
		case a.IsLoopback():
			return "is the relay's own"
		case a.IsLinkLocalUnicast():
			return "is link-local"
		case a.IsMulticast():
			return "is one of many hosts"
		case metadata[a]:
			return "is the cloud's metadata service"
		}
	}
	return ""
}

// embeddings are the networks whose addresses lead to one of IPv4 that they have in them, and
// where: NAT64 (RFC 6052, section 2.1), 6to4 (RFC 3056, section 2), and IPv4-compatible ones
// (RFC 4291, section 2.5.5.1).
var embeddings = []struct {
	network netip.Prefix
	at      int // byte
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},
	{netip.MustParsePrefix("2002::/16"), 2},
	{netip.MustParsePrefix("::/96"), 12},
}

// meant is an address, without its IPv4-mapped form (RFC 4291, section 2.5.5.2), and the one
// of IPv4 in it to which it leads.
func meant(a netip.Addr) []netip.Addr {
	a = a.Unmap()
	all := []netip.Addr{a}
	if !a.Is6() {
		return all
	}
	bytes := a.As16()
	for _, e := range embeddings {
		if e.network.Contains(a) && !a.IsLoopback() && !a.IsUnspecified() {
			all = append(all, netip.AddrFrom4([4]byte(bytes[e.at:e.at+4])))
		}
	}
	return all
}
