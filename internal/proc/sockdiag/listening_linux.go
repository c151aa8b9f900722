package sockdiag

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// Socket is a listening socket of this machine.
type Socket struct {
	Addr  netip.AddrPort
	Inode uint64 // by which /proc/PID/fd names it
}

// Listening are this machine's listening TCP sockets. /proc/net/tcp would say it as
// well, but has the kernel walk its table of all connections, for milliseconds.
func Listening() ([]Socket, error) {
	c, err := open()
	if err != nil {
		return nil, err
	}
	defer c.close()
	var all []Socket
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		wanted := request{Family: family, Protocol: unix.IPPROTO_TCP, States: 1 << stateListen}
		if err := c.ask(wanted, unix.NLM_F_DUMP); err != nil {
			return nil, err
		}
		for done := false; !done; {
			answer, err := c.read(make([]byte, 32<<10)) // the most that a kernel puts in one
			if err != nil {
				return nil, err
			}
			var some []Socket
			if some, done, err = parseListening(answer); err != nil {
				return nil, err
			}
			all = append(all, some...)
		}
	}
	return all, nil
}

// parseListening takes the sockets from a part of the answer; done says that it is the
// last one.
func parseListening(answer []byte) (sockets []Socket, done bool, err error) {
	messages, err := syscall.ParseNetlinkMessage(answer)
	if err != nil {
		return nil, false, fmt.Errorf("read sock_diag: %w", err)
	}
	for _, m := range messages {
		if m.Header.Type == unix.NLMSG_DONE {
			return sockets, true, nil
		}
		told, _, err := parse(m)
		if err != nil {
			return nil, false, err
		}
		addr := netip.AddrFrom16(told.ID.Source)
		if told.Family == unix.AF_INET {
			addr = netip.AddrFrom4([4]byte(told.ID.Source[:4]))
		}
		at := netip.AddrPortFrom(addr, binary.BigEndian.Uint16(told.ID.SourcePort[:]))
		sockets = append(sockets, Socket{at, uint64(told.Inode)})
	}
	return sockets, false, nil
}
