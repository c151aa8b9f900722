package sockdiag

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	attributeShutdown = 8 // INET_DIAG_SHUTDOWN: which directions the socket's owner has ended, or the far side
	receiveShutdown   = 1 // RCV_SHUTDOWN, include/net/sock.h
)

// Receiving reports whether the socket that has this local and this remote IPv4
// address can still receive; unix.ENOENT if there is no such socket, or if the kernel
// does not tell of any.
func Receiving(local, remote netip.AddrPort) (bool, error) {
	c, err := take()
	if err != nil {
		return false, err
	}
	wanted := request{Family: unix.AF_INET, Protocol: unix.IPPROTO_TCP, States: anyState}
	wanted.ID.Cookie = [2]uint32{^uint32(0), ^uint32(0)} // whichever has these addresses
	copy(wanted.ID.Source[:], local.Addr().AsSlice())
	copy(wanted.ID.Destination[:], remote.Addr().AsSlice())
	binary.BigEndian.PutUint16(wanted.ID.SourcePort[:], local.Port())
	binary.BigEndian.PutUint16(wanted.ID.DestinationPort[:], remote.Port())
	if err := c.ask(wanted, 0); err != nil {
		c.close()
		return false, err
	}
	answer, err := c.read(make([]byte, 4<<10)) // for one socket, with room for what later kernels add
	if err != nil {
		c.close()
		return false, err
	}
	c.giveBack()
	return parseReceiving(answer)
}

// parseReceiving reads the answer about one socket.
func parseReceiving(answer []byte) (bool, error) {
	messages, err := syscall.ParseNetlinkMessage(answer)
	if err != nil || len(messages) == 0 {
		return false, fmt.Errorf("read sock_diag: %d bytes: %w", len(answer), errors.Join(err, unix.EBADMSG))
	}
	told, rest, err := parse(messages[0])
	if err != nil {
		return false, err
	}
	if told.State == stateListen { // another one, which has the port by now
		return false, nil
	}
	for len(rest) >= unix.SizeofNlAttr {
		length := int(binary.NativeEndian.Uint16(rest))
		if length < unix.SizeofNlAttr || length > len(rest) {
			return false, fmt.Errorf("read sock_diag's socket: %w", unix.EBADMSG)
		}
		if binary.NativeEndian.Uint16(rest[2:]) == attributeShutdown && length > unix.SizeofNlAttr {
			return rest[unix.SizeofNlAttr]&receiveShutdown == 0, nil
		}
		rest = rest[min(len(rest), (length+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1)):]
	}
	if told.Inode != 0 { // somebody has it, and this kernel does not tell more
		return false, fmt.Errorf("read sock_diag's socket: %w", unix.EOPNOTSUPP)
	}
	return false, nil // closed, and only remembered for a while
}
