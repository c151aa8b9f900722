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
)

// pool is where clusters take their addresses from: the upper quarter of 10/8.
var pool = netip.MustParsePrefix("10.192.0.0/10")

// blockBits is the prefix length of one cluster's share of the pool.
const blockBits = 20

// network is a cluster's addressing: one block of 4096 addresses, in which
//
//	.0.0/30  is the link: .0.1 the host's end, .0.2 the node
//	.1.0/24  are links to network namespaces that have joined, /30 each
//	.2.0/23  are the pods
//	.8.0/21  are the services: .8.1 the API server, .8.10 DNS
type network struct{ block netip.Prefix }

func (n network) host() netip.Addr { return n.at(0, 1) }
func (n network) node() netip.Addr { return n.at(0, 2) }

// joint are the ends of the link to the network namespace of a number: the node's
// and the other.
func (n network) joint(number int) (node, joined netip.Addr) {
	return n.at(1, byte(4*number+1)), n.at(1, byte(4*number+2))
}

func (n network) pods() netip.Prefix     { return netip.PrefixFrom(n.at(2, 0), 23) }
func (n network) services() netip.Prefix { return netip.PrefixFrom(n.at(8, 0), 21) }
func (n network) api() netip.Addr        { return n.at(8, 1) }
func (n network) dns() netip.Addr        { return n.at(8, 10) }

// linkBits is the prefix length of the link between host and node.
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
		address := netip.AddrFrom4([4]byte{b[0], b[1] + byte(number>>4), byte(number << 4), 0})
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
	program, err := lookProgram("ip")
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
