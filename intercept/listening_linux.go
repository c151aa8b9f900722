package intercept

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

const canSeeListeners = true

// The kernel's tables of TCP sockets, for the network namespace of the process.
const (
	tableIPv4 = "/proc/self/net/tcp"
	tableIPv6 = "/proc/self/net/tcp6"
)

// States of sockets in the tables. Kernels list requests among the listeners.
const (
	stateListen  = "0A"
	stateRequest = "03"
)

// listening are this machine's listening TCP sockets.
func listening() ([]socket, error) {
	all, err := readTable(tableIPv4)
	if err != nil {
		return nil, err
	}
	six, err := readTable(tableIPv6)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6
		return nil, err
	}
	return append(all, six...), nil
}

func readTable(name string) ([]socket, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	sockets, err := parseTable(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return sockets, nil
}

// parseTable takes the listening sockets from a table. They stand first, and it
// reads no further: there may be very many connections.
func parseTable(r io.Reader) ([]socket, error) {
	var sockets []socket
	lines := bufio.NewScanner(r)
	lines.Scan() // the heading
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 {
			return nil, fmt.Errorf("unexpected line %q", lines.Text())
		}
		if fields[3] == stateRequest {
			continue
		}
		if fields[3] != stateListen {
			break
		}
		at, err := parseAddress(fields[1])
		if err != nil {
			return nil, err
		}
		inode, err := strconv.ParseUint(fields[9], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read inode: %w", err)
		}
		sockets = append(sockets, socket{at, inode})
	}
	return sockets, lines.Err()
}

// parseAddress reads "0100007F:1F90": words of four bytes in network order, each
// written as a number of this machine's, and the port.
func parseAddress(text string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(text, ":")
	words, err := hex.DecodeString(host)
	if err != nil || len(words) != 4 && len(words) != 16 {
		return netip.AddrPort{}, fmt.Errorf("unexpected address %q", text)
	}
	for i := 0; i < len(words); i += 4 {
		binary.NativeEndian.PutUint32(words[i:], binary.BigEndian.Uint32(words[i:]))
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("unexpected address %q", text)
	}
	addr, _ := netip.AddrFromSlice(words)
	return netip.AddrPortFrom(addr, uint16(number)), nil
}
