package cluster

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/devtun/devtun/e2e/cluster/node"
)

// EndComponent asks a component of the node to end, and waits until it has. It stays ended
// until BeginComponent, or Cluster.Up.
func (n Node) EndComponent(ctx context.Context, component Component) error {
	return n.end(ctx, component, stopGrace)
}

// BeginComponent starts a component of the node, with more arguments than it has else, of
// which later ones count, and waits until it is healthy.
func (n Node) BeginComponent(ctx context.Context, component Component, args ...string) error {
	recipe, found := n.recipes()[component]
	if !found {
		return fmt.Errorf("start %s on %s: no such component", component, n.Name())
	}
	recipe.args = append(slices.Clone(recipe.args), args...)
	return n.start(ctx, component, recipe)
}

// Nft has nft carry out commands in the node's network.
func (n Node) Nft(ctx context.Context, commands string) error {
	if err := runWithin(ctx, netOf(n.PID()), "nft", commands); err != nil {
		return fmt.Errorf("change the firewall of node %s: %w", n.Name(), err)
	}
	return nil
}

// Replace puts a program in the place of one that the node's components run by name, until
// the function that it returns.
func (n Node) Replace(name, script string) (restore func() error, err error) {
	file := filepath.Join(node.Root(n.PID()), "run/bin", name)
	if err := os.WriteFile(file, []byte(script), 0o755); err != nil {
		return nil, fmt.Errorf("replace %s on %s: %w", name, n.Name(), err)
	}
	return func() error { return os.Remove(file) }, nil
}

// Log is where the node's components write what they say, each to a file of its name.
func (n Node) Log(component Component) string {
	return filepath.Join(n.home(), "log", string(component)+".log")
}

// ServiceCIDR is where the addresses of Services come from.
func (c *Cluster) ServiceCIDR() netip.Prefix { return c.state.network().services() }
