package cluster

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"strconv"

	"github.com/devtun/devtun/e2e/cluster/lock"
	"github.com/devtun/devtun/e2e/cluster/node"
)

// Node is one of a cluster's nodes. The first has the control plane, and its network
// is the others' way to each other and to this machine.
type Node struct {
	c      *Cluster
	number int // from 1
}

// Nodes lists the cluster's nodes, whether they live or not.
func (c *Cluster) Nodes() []Node {
	var nodes []Node
	for number := 1; number <= c.state.Shape.Nodes; number++ {
		nodes = append(nodes, Node{c, number})
	}
	return nodes
}

// Node finds a node by its name.
func (c *Cluster) Node(name string) (Node, error) {
	for _, n := range c.Nodes() {
		if n.Name() == name {
			return n, nil
		}
	}
	return Node{}, fmt.Errorf("the cluster has no node %s", name)
}

// first is the node with the control plane.
func (c *Cluster) first() Node { return Node{c, 1} }

// Name is the node's name in the cluster, and its host name.
func (n Node) Name() string { return nodeName(n.number) }

// nodeName is that of the node of a number.
func nodeName(number int) string {
	if number == 1 {
		return "devtun"
	}
	return "devtun-" + strconv.Itoa(number)
}

// Address is the node's, reachable from this machine only if it is the first.
func (n Node) Address() netip.Addr { return n.c.state.network().node(n.number) }

// PID is the host's process id of the node's PID 1; 0 while there is none.
func (n Node) PID() int { return n.c.state.PIDs[n.number-1] }

// home is the part of the cluster's directory that the node sees as node.Home.
func (n Node) home() string { return filepath.Join(n.c.dir, homeOf(n.number)) }

// homeOf is the home of the node of a number, below the cluster's directory.
func homeOf(number int) string {
	if number == 1 {
		return ""
	}
	return path.Join("nodes", strconv.Itoa(number))
}

func (n Node) lives() bool { return nodeLives(n.home(), n.PID()) }

func (n Node) client() node.Client { return node.Client{PID: n.PID()} }

// Kill ends a node that is not the first, with all that runs on it, as when its power
// fails. It has its disk when it is started again.
func (n Node) Kill(ctx context.Context) error {
	if n.number == 1 {
		return fmt.Errorf("kill node %s: it has the control plane", n.Name())
	}
	if err := killNode(ctx, n.home(), n.PID()); err != nil {
		return fmt.Errorf("kill node %s: %w", n.Name(), err)
	}
	return nil
}

// Start starts a node that was killed, and waits until it takes pods. No other
// goroutine may use the Cluster meanwhile.
func (n Node) Start(ctx context.Context) error {
	unlock, err := lock.Directory(ctx, n.c.dir, func() {})
	if err != nil {
		return fmt.Errorf("start node %s: %w", n.Name(), err)
	}
	defer unlock()
	if err := n.c.serve(ctx, []Node{n}); err != nil {
		return fmt.Errorf("start node %s: %w", n.Name(), err)
	}
	return nil
}

// boot starts the node's PID 1 and gives it its place on the host, and in the first
// node's network if it is another.
func (n Node) boot(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(n.home(), "log", "node.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("start node %s: %w", n.Name(), err)
	}
	defer log.Close()
	if err := removeCgroups(ctx, n.c.state.nodeCgroup(n.number)); err != nil { // of its former life
		return fmt.Errorf("start node %s: %w", n.Name(), err)
	}
	layout := n.c.state.network()
	setup := node.Setup{
		Directory: n.home(),
		Programs:  n.c.state.Programs.inNode(),
		Hostname:  n.Name(),
		Address:   netip.PrefixFrom(layout.node(n.number), linkBits),
		Gateway:   layout.gateway(n.number),
		Routed:    layout.beyond(n.number),
	}
	return startNode(ctx, n.c.state.Programs.Init, log, setup, func(pid int) error {
		n.c.state.PIDs[n.number-1] = pid
		if err := saveState(n.c.dir, n.c.state); err != nil {
			return err
		}
		if err := makeCgroups(n.c.state.nodeCgroup(n.number), pid); err != nil {
			return err
		}
		if n.number == 1 {
			return makeLink(ctx, n.c.state.device(), pid, layout)
		}
		return linkNodes(ctx, n.c.first().PID(), n.number, pid, layout)
	})
}
