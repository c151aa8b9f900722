package cluster

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/devtun/devtun/e2e/cluster/debian"
)

// MaxJoined is how many network namespaces may be joined to a cluster at a time.
const MaxJoined = 63

// Join gives the network namespace of a process the place on the cluster's network
// that this machine has: an eth0 that leads to the node, and routes to the node
// and to the pods, not to services. number tells the namespaces that are joined
// at a time apart, from 1 to MaxJoined. The link goes with the namespace; what is
// still there of an earlier one of the same number is removed.
func (c *Cluster) Join(ctx context.Context, pid, number int) error {
	if number < 1 || number > MaxJoined {
		return fmt.Errorf("join cluster: number %d: want 1 to %d", number, MaxJoined)
	}
	n, device := c.state.network(), "joined"+strconv.Itoa(number)
	inside, outside := netOf(c.NodePID()), netOf(pid)
	// A namespace that has ended gives its link up in the kernel's own time.
	_ = within(ctx, inside, "link", "delete", device)
	node, joined := n.joint(number)
	for _, step := range []struct {
		where string
		args  []string
	}{
		{inside, []string{"link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(pid)}},
		{inside, []string{"address", "add", netip.PrefixFrom(node, linkBits).String(), "dev", device}},
		{inside, []string{"link", "set", device, "up"}},
		{outside, []string{"link", "set", "lo", "up"}},
		{outside, []string{"address", "add", netip.PrefixFrom(joined, linkBits).String(), "dev", "eth0"}},
		{outside, []string{"link", "set", "eth0", "up"}},
		{outside, []string{"route", "add", n.node(1).String(), "via", node.String()}},
		{outside, []string{"route", "add", n.pods().String(), "via", node.String()}},
	} {
		if err := within(ctx, step.where, step.args...); err != nil {
			return fmt.Errorf("join cluster: %w", err)
		}
	}
	return nil
}

// netOf names the network namespace of a process to within.
func netOf(pid int) string { return "--net=/proc/" + strconv.Itoa(pid) + "/ns/net" }

// within runs ip in another network namespace.
func within(ctx context.Context, space string, args ...string) error {
	return runWithin(ctx, space, "ip", args...)
}

// runWithin runs a program in another network namespace.
func runWithin(ctx context.Context, space, program string, args ...string) error {
	nsenter, err := debian.Look("nsenter")
	if err != nil {
		return err
	}
	path, err := debian.Look(program)
	if err != nil {
		return err
	}
	_, err = output(ctx, nsenter, append([]string{space, path}, args...)...)
	return err
}
