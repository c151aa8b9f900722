package sockdiag

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// timeout bounds the kernel's answer.
const timeout = time.Second

// What the kernel is asked and answers (linux/inet_diag.h).
type (
	socketID struct {
		SourcePort, DestinationPort [2]byte // network order
		Source, Destination         [16]byte
		Interface                   uint32
		Cookie                      [2]uint32
	}
	request struct {
		Family, Protocol, Extensions, _ uint8
		States                          uint32 // a set: bit n is state n
		ID                              socketID
	}
	message struct {
		Family, State, Timer, Retransmissions uint8
		ID                                    socketID
		Expires, ReadQueue, WriteQueue        uint32
		UID, Inode                            uint32
	}
)

const (
	stateEstablished = 1  // TCP_ESTABLISHED, net/tcp_states.h
	stateListen      = 10 // TCP_LISTEN
	anyState         = ^uint32(0)
)

// conn is a netlink socket to ask with.
type conn int

func open() (conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0, fmt.Errorf("open sock_diag: %w", err)
	}
	wait := unix.NsecToTimeval(timeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		return 0, errors.Join(fmt.Errorf("bound sock_diag: %w", err), unix.Close(fd))
	}
	return conn(fd), nil
}

func (c conn) close() { unix.Close(int(c)) }

// idle are a few that wait to be used again: opening one takes longer than asking.
var idle = make(chan conn, 4)

// take is open, unless one is idle.
func take() (conn, error) {
	select {
	case c := <-idle:
		return c, nil
	default:
		return open()
	}
}

// giveBack takes one back whose answers have all been read.
func (c conn) giveBack() {
	select {
	case idle <- c:
	default:
		c.close()
	}
}

// ask sends a request; flags say how much is wanted.
func (c conn) ask(r request, flags uint16) error {
	header := unix.NlMsghdr{
		Len: uint32(unix.SizeofNlMsghdr + binary.Size(r)), Type: unix.SOCK_DIAG_BY_FAMILY, Flags: unix.NLM_F_REQUEST | flags,
	}
	var b bytes.Buffer
	_ = binary.Write(&b, binary.NativeEndian, header) // into memory: no error
	_ = binary.Write(&b, binary.NativeEndian, r)
	if err := unix.Sendto(int(c), b.Bytes(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask sock_diag: %w", err)
	}
	return nil
}

// read reads a part of the answer into buffer.
func (c conn) read(buffer []byte) ([]byte, error) {
	for {
		n, _, err := unix.Recvfrom(int(c), buffer, 0)
		switch {
		case errors.Is(err, unix.EINTR): // the runtime's own signals: signal(7), SO_RCVTIMEO
		case err != nil:
			return nil, fmt.Errorf("read sock_diag: %w", err)
		default:
			return buffer[:n], nil
		}
	}
}

// parse reads what the kernel says of one socket, and returns the attributes that
// follow it.
func parse(m syscall.NetlinkMessage) (told message, attributes []byte, err error) {
	if m.Header.Type == unix.NLMSG_ERROR {
		var code int32 // negated errno
		if _, err := binary.Decode(m.Data, binary.NativeEndian, &code); err != nil {
			return told, nil, fmt.Errorf("read sock_diag's error: %w", err)
		}
		return told, nil, fmt.Errorf("ask sock_diag: %w", syscall.Errno(-code))
	}
	size, err := binary.Decode(m.Data, binary.NativeEndian, &told)
	if err != nil {
		return told, nil, fmt.Errorf("read sock_diag's socket: %w", err)
	}
	return told, m.Data[size:], nil
}
