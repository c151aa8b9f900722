package api

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"

	"github.com/devtun/devtun/e2e/cluster"
	"github.com/devtun/devtun/e2e/cluster/debian"
)

const (
	// lossTable is the table of nftables that a loss has, on both machines; noLoss removes
	// it, whether it is there.
	lossTable = "inet devtun-bench"
	noLoss    = "add table " + lossTable + "; delete table " + lossTable
)

// Lose has so many packets of a hundred vanish between this machine and a node's API server,
// in each direction, until stop. They do where they arrive: dropped where they leave, TCP
// would hear of it.
func Lose(ctx context.Context, node cluster.Node, server netip.AddrPort, percent int) (stop func() error, err error) {
	rule := func(end string) string {
		address := end + "addr"
		return fmt.Sprintf(noLoss+"; add table %s { chain c { type filter hook prerouting priority -400; "+
			"ip %s %s tcp %sport %d numgen random mod 100 < %d drop; }; }",
			lossTable, address, server.Addr(), end, server.Port(), percent)
	}
	stop = func() error {
		ctx := context.WithoutCancel(ctx)
		return errors.Join(node.Nft(ctx, noLoss), nft(ctx, noLoss))
	}
	if err := node.Nft(ctx, rule("d")); err != nil {
		return nil, err
	}
	if err := nft(ctx, rule("s")); err != nil {
		return nil, errors.Join(err, node.Nft(context.WithoutCancel(ctx), noLoss))
	}
	return stop, nil
}

// nft changes this machine's firewall.
func nft(ctx context.Context, commands string) error {
	program, err := debian.Look("nft")
	if err != nil {
		return err
	}
	if said, err := exec.CommandContext(ctx, program, commands).CombinedOutput(); err != nil {
		return fmt.Errorf("change the firewall of this machine: %w: %s", err, said)
	}
	return nil
}
