package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/devtun/devtun/e2e/cluster/debian"
)

// pool is where clusters take their addresses from: the upper quarter of 10/8.
var pool = netip.MustParsePrefix("10.192.0.0/10")

// blockBits is the prefix length of one cluster's share of the pool.
const blockBits = 19

// network is a cluster's addressing: one block of 8192 addresses, in which
//
//	.0.0/24  are the links to nodes, /30 each: .0.1 the host's end, .0.2 the first
//	         node; .0.5 the first node's end, .0.6 the second node; and so on
//	.1.0/24  are links to network namespaces that have joined, /30 each
//	.8.0/21  are the services: .8.1 the API server, .8.10 DNS
//	.16.0/20 are the pods: .16.0/22 the first node's, .20.0/22 the second's, and so on
type network struct{ block netip.Prefix }

// node is the address of the node of a number, gateway the other end of its link.
func (n network) node(number int) netip.Addr    { return n.at(0, byte(4*number-2)) }
func (n network) gateway(number int) netip.Addr { return n.at(0, byte(4*number-3)) }
func (n network) links() netip.Prefix           { return netip.PrefixFrom(n.at(0, 0), 23) }

// joint are the ends of the link to the network namespace of a number: the node's
// and the other.
func (n network) joint(number int) (node, joined netip.Addr) {
	return n.at(1, byte(4*number+1)), n.at(1, byte(4*number+2))
}

func (n network) services() netip.Prefix { return netip.PrefixFrom(n.at(8, 0), 21) }
func (n network) api() netip.Addr        { return n.at(8, 1) }
func (n network) dns() netip.Addr        { return n.at(8, 10) }
func (n network) pods() netip.Prefix     { return netip.PrefixFrom(n.at(16, 0), 20) }

// podsOf are the pods of the node of a number.
func (n network) podsOf(number int) netip.Prefix {
	return netip.PrefixFrom(n.at(byte(12+4*number), 0), 22)
}

// beyond is what the node of a number has routes to by its gateway. Services need
// some route, because a socket's destination is looked up before kube-proxy's rules
// translate it. The first node's others are at the far ends of other links.
func (n network) beyond(number int) []netip.Prefix {
	if number == 1 {
		return []netip.Prefix{n.services()}
	}
	routed := []netip.Prefix{n.links(), n.services()}
	for other := 1; other <= MaxNodes; other++ {
		if other != number {
			routed = append(routed, n.podsOf(other))
		}
	}
	return routed
}

// linkBits is the prefix length of a link.
const linkBits = 30

func (n network) at(third, fourth byte) netip.Addr {
	b := n.block.Addr().As4()
	return netip.AddrFrom4([4]byte{b[0], b[1], b[2] + third, fourth})
}

// freeBlock chooses a block of the pool that overlaps nothing taken. Each id has
// its own order of trying, so that two clusters started at once do not meet.
func freeBlock(id string, taken []netip.Prefix) (netip.Prefix, error) {
	const count = 1 << (blockBits - 10) // the pool is a /10
	hash := fnv.New32a()
	hash.Write([]byte(id))
	start := hash.Sum32() % count
	for i := range uint32(count) {
		number := (start + i) % count
		b := pool.Addr().As4()
		address := netip.AddrFrom4([4]byte{b[0], b[1] + byte(number>>3), byte(number << 5), 0})
		block := netip.PrefixFrom(address, blockBits)
		if !overlapsAny(block, taken) {
			return block, nil
		}
	}
	return netip.Prefix{}, fmt.Errorf("choose addresses: every block of %s is routed already", pool)
}

func overlapsAny(block netip.Prefix, taken []netip.Prefix) bool {
	for _, other := range taken {
		if block.Overlaps(other) {
			return true
		}
	}
	return false
}

// routed lists what this machine has routes to, its own addresses included. The
// default route does not count.
func routed(ctx context.Context) ([]netip.Prefix, error) {
	out, err := ip(ctx, "-json", "-4", "route", "show", "table", "all")
	if err != nil {
		return nil, err
	}
	var routes []struct{ Dst string }
	if err := json.Unmarshal(out, &routes); err != nil {
		return nil, fmt.Errorf("read routes: %w", err)
	}
	var prefixes []netip.Prefix
	for _, route := range routes {
		if route.Dst == "default" {
			continue
		}
		text := route.Dst
		if !strings.Contains(text, "/") {
			text += "/32"
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("read routes: %w", err)
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes, nil
}

// ip runs the command of that name and returns its output.
func ip(ctx context.Context, args ...string) ([]byte, error) {
	program, err := debian.Look("ip")
	if err != nil {
		return nil, err
	}
	return output(ctx, program, args...)
}

// output runs a program and returns its output; an error has what it said.
func output(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run %s %s: %w: %s", filepath.Base(program), strings.Join(args, " "), err,
			strings.TrimSpace(complaint.String()))
	}
	return out, nil
}
