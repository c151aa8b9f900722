package testbed

import (
	"context"
	"errors"
	"io"
	"path/filepath"

	"github.com/devtun/devtun/e2e/cluster"
)

// apartShape is that of a cluster for tests of several nodes and of policies, of the
// same Kubernetes as the bed's.
func apartShape(of cluster.Shape) cluster.Shape {
	return cluster.Shape{Nodes: 2, Policies: true, Proxy: of.Proxy, Kubernetes: of.Kubernetes}
}

// apartIn is its directory, below the module.
func apartIn(module string) string { return filepath.Join(module, outputs, "apart") }

// Apart brings up another cluster, of two nodes and with NetworkPolicies enforced, for
// the one process that asks, within the network of its machine. It returns a bed
// that leads there, with the images of this one; leave ends the cluster. module is
// the directory of the devtun module.
func (b Bed) Apart(ctx context.Context, module string, progress io.Writer) (bed Bed, leave func() error, err error) {
	if module, err = filepath.Abs(module); err != nil {
		return Bed{}, nil, err
	}
	asked, err := cluster.ShapeFromEnv()
	if err != nil {
		return Bed{}, nil, err
	}
	dir := apartIn(module)
	if err := cluster.Down(ctx, dir); err != nil { // it was in the network of another machine
		return Bed{}, nil, err
	}
	leave = func() error { return cluster.Down(context.WithoutCancel(ctx), dir) }
	local, err := cluster.Up(ctx, cluster.Options{Dir: dir, Module: module, Shape: apartShape(asked), Progress: progress})
	if err != nil {
		return Bed{}, nil, errors.Join(err, leave())
	}
	b.Cluster, b.Kubeconfig = dir, local.Kubeconfig()
	if err := local.Load(ctx, filepath.Join(module, examplesFile)); err != nil {
		return Bed{}, nil, errors.Join(err, leave())
	}
	return b, leave, nil
}
