package intercept

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const canSeeListeners = true

// diagTimeout bounds the kernel's answer.
const diagTimeout = time.Second

// The kernel's sock_diag(7) for TCP (linux/inet_diag.h).
type (
	diagID struct {
		SourcePort, DestinationPort [2]byte
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

const stateListen = 10 // TCP_LISTEN, linux/tcp_states.h

// listening are this machine's listening TCP sockets. /proc/net/tcp would say it as
// well, but has the kernel walk its table of all connections, for milliseconds.
func listening() ([]socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open sock_diag: %w", err)
	}
	defer unix.Close(fd)
	timeout := unix.NsecToTimeval(diagTimeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return nil, fmt.Errorf("bound sock_diag: %w", err)
	}
	var all []socket
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		if err := unix.Sendto(fd, askListening(family), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return nil, fmt.Errorf("ask sock_diag: %w", err)
		}
		for done := false; !done; {
			answer := make([]byte, 32<<10) // the most that a kernel puts in one
			n, _, err := unix.Recvfrom(fd, answer, 0)
			if errors.Is(err, unix.EINTR) { // the runtime's own signals: signal(7), SO_RCVTIMEO
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("read sock_diag: %w", err)
			}
			var some []socket
			if some, done, err = parseListening(answer[:n]); err != nil {
				return nil, err
			}
			all = append(all, some...)
		}
	}
	return all, nil
}

// askListening is a request for a family's listening sockets.
func askListening(family uint8) []byte {
	request := diagRequest{Family: family, Protocol: unix.IPPROTO_TCP, States: 1 << stateListen}
	header := unix.NlMsghdr{
		Len:   uint32(unix.SizeofNlMsghdr + binary.Size(request)),
		Type:  unix.SOCK_DIAG_BY_FAMILY,
		Flags: unix.NLM_F_REQUEST | unix.NLM_F_DUMP,
	}
	var b bytes.Buffer
	binary.Write(&b, binary.NativeEndian, header) // into memory: no error
	binary.Write(&b, binary.NativeEndian, request)
	return b.Bytes()
}

// parseListening takes the sockets from a part of the answer; done says that it is the
// last one.
func parseListening(answer []byte) (sockets []socket, done bool, err error) {
	messages, err := syscall.ParseNetlinkMessage(answer)
	if err != nil {
		return nil, false, fmt.Errorf("read sock_diag: %w", err)
	}
	for _, m := range messages {
		switch m.Header.Type {
		case unix.NLMSG_DONE:
			return sockets, true, nil
		case unix.NLMSG_ERROR:
			var code int32 // negated errno
			if _, err := binary.Decode(m.Data, binary.NativeEndian, &code); err != nil {
				return nil, false, fmt.Errorf("read sock_diag's error: %w", err)
			}
			return nil, false, fmt.Errorf("ask sock_diag: %w", syscall.Errno(-code))
		}
		var told diagMessage
		if _, err := binary.Decode(m.Data, binary.NativeEndian, &told); err != nil {
			return nil, false, fmt.Errorf("read sock_diag's socket: %w", err)
		}
		addr := netip.AddrFrom16(told.ID.Source)
		if told.Family == unix.AF_INET {
			addr = netip.AddrFrom4([4]byte(told.ID.Source[:4]))
		}
		at := netip.AddrPortFrom(addr, binary.BigEndian.Uint16(told.ID.SourcePort[:]))
		sockets = append(sockets, socket{at, uint64(told.Inode)})
	}
	return sockets, false, nil
}
