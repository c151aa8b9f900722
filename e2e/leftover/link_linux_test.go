package leftover

import (
	"encoding/binary"
	"errors"
	"slices"
	"syscall"
)

// infoKind is the attribute of IFLA_LINKINFO that names the kind of a link.
const infoKind = 1

// makeVeth makes a pair of links, of which the kernel names the other end veth0
// in a namespace that has none yet. It needs no program.
func makeVeth(name string) error {
	kind := attribute(syscall.IFLA_LINKINFO, attribute(infoKind, []byte("veth")))
	return askLinks(syscall.RTM_NEWLINK, syscall.NLM_F_CREATE|syscall.NLM_F_EXCL,
		append(attribute(syscall.IFLA_IFNAME, append([]byte(name), 0)), kind...))
}

// removeLink removes a link, and its other end.
func removeLink(name string) error {
	return askLinks(syscall.RTM_DELLINK, 0, attribute(syscall.IFLA_IFNAME, append([]byte(name), 0)))
}

// attribute is a netlink attribute: its length without padding, its kind, value.
func attribute(kind uint16, value []byte) []byte {
	a := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	a = append(binary.NativeEndian.AppendUint16(a, kind), value...)
	return append(a, make([]byte, -len(a)&3)...)
}

// askLinks sends one request of rtnetlink(7) and reads what came of it.
func askLinks(kind, flags uint16, attributes []byte) error {
	socket, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer syscall.Close(socket)
	body := append(make([]byte, syscall.SizeofIfInfomsg), attributes...)
	request := binary.NativeEndian.AppendUint32(nil, uint32(syscall.NLMSG_HDRLEN+len(body)))
	request = binary.NativeEndian.AppendUint16(request, kind)
	request = binary.NativeEndian.AppendUint16(request, flags|syscall.NLM_F_REQUEST|syscall.NLM_F_ACK)
	request = append(request, make([]byte, 8)...) // sequence and sender: there is but one
	request = slices.Concat(request, body)
	if err := syscall.Sendto(socket, request, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := syscall.Recvfrom(socket, answer, 0)
	if err != nil {
		return err
	}
	messages, err := syscall.ParseNetlinkMessage(answer[:n])
	if err != nil {
		return err
	}
	if len(messages) == 0 || len(messages[0].Data) < 4 || messages[0].Header.Type != syscall.NLMSG_ERROR {
		return errors.New("no answer")
	}
	if code := int32(binary.NativeEndian.Uint32(messages[0].Data)); code != 0 {
		return syscall.Errno(-code)
	}
	return nil
}
