package relay

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// The networks of a Target.
const (
	TCP = "tcp"
	UDP = "udp"
)

// Target is what a claim has a relay reach beside the namespace's own Services and pods.
// It can be compared: two that are equal are one.
type Target struct {
	Network string // TCP or UDP
	Host    string // an address as netip writes it, or a name in lower case without a final dot
	Port    int
}

// ParseTarget reads "host/NAME:PORT" or "ip/ADDRESS:PORT", with "/udp" or "/tcp" behind it,
// or neither, which is TCP. An address of IPv6 stands in brackets.
func ParseTarget(text string) (Target, error) {
	t, err := parseTarget(text)
	if err != nil {
		return Target{}, fmt.Errorf("target %q: %w", text, err)
	}
	return t, nil
}

func parseTarget(text string) (t Target, err error) {
	kind, rest, _ := strings.Cut(text, "/")
	at, network, given := strings.Cut(rest, "/")
	if !given {
		network = TCP
	}
	if network != TCP && network != UDP {
		return t, fmt.Errorf("protocol %q is neither %s nor %s", network, TCP, UDP)
	}
	host, port, err := net.SplitHostPort(at)
	if err != nil || host == "" {
		return t, fmt.Errorf("write it as host/NAME:PORT or ip/ADDRESS:PORT")
	}
	number, err := strconv.Atoi(port)
	if err != nil || number < 1 || number > 65535 {
		return t, fmt.Errorf("%q is not a port", port)
	}
	address, err := netip.ParseAddr(host)
	switch isAddress := err == nil; {
	case kind != "host" && kind != "ip":
		return t, fmt.Errorf("write it as host/NAME:PORT or ip/ADDRESS:PORT")
	case kind == "ip" && !isAddress:
		return t, fmt.Errorf("%q is not an address", host)
	case kind == "host" && isAddress:
		return t, fmt.Errorf("%s is an address: write it as ip/%s", host, at)
	case isAddress && address.Zone() != "":
		return t, fmt.Errorf("address %s is one of a link only", host)
	case !isAddress && !isName(host):
		return t, fmt.Errorf("%q is not a name", host)
	}
	return newTarget(network, host, number), nil
}

// newTarget is a target with its host written as all are.
func newTarget(network, host string, port int) Target {
	t := Target{network, strings.TrimSuffix(strings.ToLower(host), "."), port}
	if address, err := netip.ParseAddr(host); err == nil {
		t.Host = address.Unmap().String()
	}
	return t
}

// isName reports that a name may be one that is looked up.
func isName(host string) bool {
	return len(host) <= 254 && !strings.ContainsFunc(host, func(c rune) bool {
		return c <= ' ' || c == '/' || c == ':' || c == '%' || c > '~'
	})
}

// at is where the target is, given its address.
func (t Target) at(address netip.Addr) string {
	return netip.AddrPortFrom(address, uint16(t.Port)).String()
}

// String is the target as ParseTarget reads it.
func (t Target) String() string {
	kind := "host"
	if _, err := netip.ParseAddr(t.Host); err == nil {
		kind = "ip"
	}
	text := kind + "/" + net.JoinHostPort(t.Host, strconv.Itoa(t.Port))
	if t.Network == UDP {
		text += "/" + UDP
	}
	return text
}
