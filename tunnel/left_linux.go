package tunnel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// diagTimeout bounds the kernel's answer.
const diagTimeout = time.Second

// The kernel's sock_diag(7) for TCP (linux/inet_diag.h).
type (
	diagID struct {
		SourcePort, DestinationPort [2]byte // network order
		Source, Destination         [16]byte
		Interface                   uint32
		Cookie                      [2]uint32
	}
	diagRequest struct {
		Family, Protocol, Extensions, _ uint8
		States                          uint32 // a set: bit n is state n
		ID                              diagID
	}
	diagMessage struct {
		Family, State, Timer, Retransmissions uint8
		ID                                    diagID
		Expires, ReadQueue, WriteQueue        uint32
		UID, Inode                            uint32
	}
)

const (
	diagShutdown    = 8 // attribute: which directions the socket's owner has ended, or the far side
	receiveShutdown = 1 // RCV_SHUTDOWN, include/net/sock.h
	stateListen     = 10
	anyState        = ^uint32(0)
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
	receives, err := receiving(there, here)
	if errors.Is(err, unix.ENOENT) {
		// There is no such socket any more, or a kernel that does not tell of any.
		_, err = receiving(here, there)
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

// receiving reports whether the socket that has this local and this remote address
// can still receive.
func receiving(local, remote netip.AddrPort) (bool, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return false, fmt.Errorf("open sock_diag: %w", err)
	}
	defer unix.Close(fd)
	timeout := unix.NsecToTimeval(diagTimeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return false, fmt.Errorf("bound sock_diag: %w", err)
	}
	if err := unix.Sendto(fd, askSocket(local, remote), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false, fmt.Errorf("ask sock_diag: %w", err)
	}
	answer := make([]byte, 4<<10) // for one socket, with room for what later kernels add
	for {
		n, _, err := unix.Recvfrom(fd, answer, 0)
		if errors.Is(err, unix.EINTR) { // the runtime's own signals: signal(7), SO_RCVTIMEO
			continue
		}
		if err != nil {
			return false, fmt.Errorf("read sock_diag: %w", err)
		}
		return parseReceiving(answer[:n])
	}
}

// askSocket is a request for one socket.
func askSocket(local, remote netip.AddrPort) []byte {
	request := diagRequest{Family: unix.AF_INET, Protocol: unix.IPPROTO_TCP, States: anyState}
	request.ID.Cookie = [2]uint32{^uint32(0), ^uint32(0)} // whichever has these addresses
	copy(request.ID.Source[:], local.Addr().AsSlice())
	copy(request.ID.Destination[:], remote.Addr().AsSlice())
	binary.BigEndian.PutUint16(request.ID.SourcePort[:], local.Port())
	binary.BigEndian.PutUint16(request.ID.DestinationPort[:], remote.Port())
	header := unix.NlMsghdr{
		Len:   uint32(unix.SizeofNlMsghdr + binary.Size(request)),
		Type:  unix.SOCK_DIAG_BY_FAMILY,
		Flags: unix.NLM_F_REQUEST,
	}
	var b bytes.Buffer
	binary.Write(&b, binary.NativeEndian, header) // into memory: no error
	binary.Write(&b, binary.NativeEndian, request)
	return b.Bytes()
}

// parseReceiving reads the answer about one socket.
func parseReceiving(answer []byte) (bool, error) {
	messages, err := syscall.ParseNetlinkMessage(answer)
	if err != nil || len(messages) == 0 {
		return false, fmt.Errorf("read sock_diag: %d bytes: %w", len(answer), errors.Join(err, unix.EBADMSG))
	}
	m := messages[0]
	if m.Header.Type == unix.NLMSG_ERROR {
		var code int32 // negated errno
		if _, err := binary.Decode(m.Data, binary.NativeEndian, &code); err != nil {
			return false, fmt.Errorf("read sock_diag's error: %w", err)
		}
		return false, fmt.Errorf("ask sock_diag: %w", syscall.Errno(-code))
	}
	var told diagMessage
	size, err := binary.Decode(m.Data, binary.NativeEndian, &told)
	if err != nil {
		return false, fmt.Errorf("read sock_diag's socket: %w", err)
	}
	if told.State == stateListen { // another one, which has the port by now
		return false, nil
	}
	for rest := m.Data[size:]; len(rest) >= unix.SizeofNlAttr; {
		length := int(binary.NativeEndian.Uint16(rest))
		if length < unix.SizeofNlAttr || length > len(rest) {
			return false, fmt.Errorf("read sock_diag's socket: %w", unix.EBADMSG)
		}
		if binary.NativeEndian.Uint16(rest[2:]) == diagShutdown && length > unix.SizeofNlAttr {
			return rest[unix.SizeofNlAttr]&receiveShutdown == 0, nil
		}
		rest = rest[min(len(rest), (length+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1)):]
	}
	if told.Inode != 0 { // somebody has it, and this kernel does not tell more
		return false, fmt.Errorf("read sock_diag's socket: %w", unix.EOPNOTSUPP)
	}
	return false, nil // closed, and only remembered for a while
}
