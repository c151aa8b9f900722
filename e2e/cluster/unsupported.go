//go:build !linux

package cluster

import (
	"context"
	"errors"

	"net"
	"os"

	"github.com/devtun/devtun/e2e/cluster/node"
)

// A node is made of Linux namespaces: elsewhere there is none, and supported has
// said so before any of these is reached.

func startNode(context.Context, string, *os.File, node.Setup, func(int) error) error {
	return errors.ErrUnsupported
}

func nodeLives(string, int) bool { return false }

func killNode(context.Context, string, int) error { return nil }

func dialInside(context.Context, int, string, string) (net.Conn, error) {
	return nil, errors.ErrUnsupported
}

func snapshotter(string) string { return "" }
