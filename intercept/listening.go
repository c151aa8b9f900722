package intercept

import "net/netip"

// socket is a listening socket of this machine.
type socket struct {
	at    netip.AddrPort
	inode uint64
}

// reaches reports that a connection to target comes to a socket that listens at
// an address. One that listens on all IPv6 addresses mostly takes IPv4 as well;
// if this one does not, the dial tells.
func reaches(target, at netip.AddrPort) bool {
	if target.Port() != at.Port() {
		return false
	}
	on := at.Addr().Unmap()
	switch {
	case on == target.Addr():
		return true
	case !on.IsUnspecified():
		return false
	}
	return on.Is6() || target.Addr().Is4()
}
