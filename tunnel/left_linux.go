package tunnel

import (
	"errors"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/devtun/devtun/internal/proc/sockdiag"
)

// hasLeft reports whether the program at the other end of a connection takes
// nothing more, and whether that is known. An end of input does not tell: it may be
// half of the connection or all of it. But the other end is a socket of this machine,
// and the kernel knows it: closed, it does not receive any more, or is nobody's.
func hasLeft(client net.Conn) (left, known bool) {
	here, there := addrPort(client.LocalAddr()), addrPort(client.RemoteAddr())
	if !here.Addr().Is4() || !there.Addr().Is4() {
		return false, false
	}
	receives, err := sockdiag.Receiving(there, here)
	if errors.Is(err, unix.ENOENT) {
		// There is no such socket any more, or a kernel that does not tell of any.
		_, err = sockdiag.Receiving(here, there)
		return err == nil, err == nil
	}
	return !receives, err == nil
}

func addrPort(address net.Addr) netip.AddrPort {
	tcp, ok := address.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	at := tcp.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}
