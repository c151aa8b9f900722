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

// Listening are this machine's listening TCP sockets, those of a port or, for 0, all.
// /proc/net/tcp would say it as well, but has the kernel walk its table of all connections,
// for milliseconds.
func Listening(port uint16) (all []Socket, err error) {
	err = each(stateListen, port, func(told message) {
		at := netip.AddrPortFrom(addressOf(told, told.ID.Source), binary.BigEndian.Uint16(told.ID.SourcePort[:]))
		all = append(all, Socket{at, uint64(told.Inode)})
	})
	return all, err
}

// Peers are the addresses that this machine's TCP sockets are connected to. The kernel
// walks its table of connections for it.
func Peers() (map[netip.Addr]bool, error) {
	peers := make(map[netip.Addr]bool)
	err := each(stateEstablished, 0, func(told message) {
		peers[addressOf(told, told.ID.Destination).Unmap()] = true
	})
	return peers, err
}

// each tells of all TCP sockets in a state, those of a port of this machine or, for 0, all.
func each(state int, port uint16, tell func(message)) error {
	c, err := open()
	if err != nil {
		return err
	}
	defer c.close()
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		wanted := request{Family: family, Protocol: unix.IPPROTO_TCP, States: 1 << state}
		binary.BigEndian.PutUint16(wanted.ID.SourcePort[:], port)
		if err := c.ask(wanted, unix.NLM_F_DUMP); err != nil {
			return err
		}
		for done := false; !done; {
			answer, err := c.read(make([]byte, 32<<10)) // the most that a kernel puts in one
			if err != nil {
				return err
			}
			var some []message
			if some, done, err = parseSome(answer); err != nil {
				return err
			}
			for _, told := range some {
				tell(told)
			}
		}
	}
	return nil
}

func addressOf(told message, address [16]byte) netip.Addr {
	if told.Family == unix.AF_INET {
		return netip.AddrFrom4([4]byte(address[:4]))
	}
	return netip.AddrFrom16(address)
}

// parseSome takes the sockets from a part of the answer; done says that it is the last
// one.
func parseSome(answer []byte) (sockets []message, done bool, err error) {
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
		sockets = append(sockets, told)
	}
	return sockets, false, nil
}
