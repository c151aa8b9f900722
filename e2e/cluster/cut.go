package cluster

import (
	"context"
	"fmt"
)

const (
	// removeCut removes the rules of a cut, whether there are any.
	removeCut = `add table inet devtun-cut; delete table inet devtun-cut`
	// addCut drops all that comes and goes, without a word to anybody.
	addCut = `; table inet devtun-cut {
	chain in { type filter hook prerouting priority -400; iifname "eth0" drop; }
	chain out { type filter hook postrouting priority 400; oifname "eth0" drop; }
}`
)

// Cut has all packets between the node and everybody else vanish, as when a cable is
// pulled, until Mend. What is on the node goes on. The first node cannot be cut off:
// it is everybody else.
func (n Node) Cut(ctx context.Context) error {
	if n.number == 1 {
		return fmt.Errorf("cut node %s off: the others' ways lead over it", n.Name())
	}
	if err := runWithin(ctx, netOf(n.PID()), "nft", removeCut+addCut); err != nil {
		return fmt.Errorf("cut node %s off: %w", n.Name(), err)
	}
	return nil
}

// Mend has packets pass again. To mend what is not cut is no error.
func (n Node) Mend(ctx context.Context) error {
	if err := runWithin(ctx, netOf(n.PID()), "nft", removeCut); err != nil {
		return fmt.Errorf("mend node %s: %w", n.Name(), err)
	}
	return nil
}
