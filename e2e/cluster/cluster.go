// Package cluster runs a real Kubernetes on this machine, without Docker: API server,
// controller manager, scheduler, kubelet, kube-proxy, etcd, containerd and CoreDNS, as
// ordinary processes on a node with namespaces of its own (package node), or on
// several (Shape), which can be cut off, killed and started again (Node).
//
//	c, err := cluster.Up(ctx, cluster.Options{Dir: ".cluster", Progress: os.Stderr})
//	…                                     // use c.Kubeconfig(), c.Load(ctx, "image.tar")
//	err = cluster.Down(ctx, ".cluster")
//
// A cluster is a directory. Up makes it, or mends what is broken in it, and
// leaves it running; Open finds the one that runs; Down ends it and removes all
// that Up made. In the directory:
//
//	kubeconfig   the way in, as cluster admin
//	bin/kubectl  kubectl of the cluster's version
//	log/         what each component says
//	state.json   what runs, and what must be undone on the host
//	pki/ etc/    credentials and configuration of the components
//	var/         the node's /var: etcd's data, images, pods
//	nodes/       the same four of each further node
//
// On the host there are, besides: one network link with routes to the node and
// to the pods (not to services), one cgroup in each hierarchy, and the built
// programs in the user's cache directory (package build). All are named after
// the directory, so that clusters of several checkouts live side by side.
//
// It needs Linux and root. Wherever it cannot run, Up says so, and any existing
// cluster does instead: the tests take DEVTUN_KUBECONFIG.
package cluster

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/devtun/devtun/e2e/cluster/lock"
)

const (
	// upTimeout bounds an Up without installing and building; mendTimeout bounds
	// the part of it that tries to save what runs.
	upTimeout   = 3 * time.Minute
	mendTimeout = time.Minute
	// downTimeout bounds a Down.
	downTimeout = time.Minute
)

// Options say which cluster Up brings up and how.
type Options struct {
	// Dir is the cluster's directory. It is made if missing; one that holds
	// anything else is refused.
	Dir string
	// Module is the directory of the devtun module, whose sources the programs
	// are built from. Empty means the one that the process runs in.
	Module string
	// Shape is what it is like. A cluster of another shape that runs in the directory
	// is made anew.
	Shape Shape
	// Progress hears of what takes long, in lines; nil means nobody does.
	Progress io.Writer
}

// Cluster is a running cluster. It holds no resources: a value may be dropped,
// copied, and used by several goroutines.
type Cluster struct {
	dir   string // absolute
	state state
}

// Up makes the cluster of a directory, or starts again what has died of it, and
// returns when the nodes are Ready and cluster DNS answers. The cluster outlives
// the process.
func Up(ctx context.Context, options Options) (*Cluster, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	if options.Progress == nil {
		options.Progress = io.Discard
	}
	dir, err := filepath.Abs(options.Dir)
	if err != nil {
		return nil, fmt.Errorf("bring cluster up: %w", err)
	}
	unlock, err := lock.Directory(ctx, dir, func() {
		fmt.Fprintf(options.Progress, "waiting for another process at work on %s\n", dir)
	})
	if err != nil {
		return nil, fmt.Errorf("bring cluster up: %w", err)
	}
	defer unlock()
	c, err := up(ctx, dir, options)
	if err != nil {
		return nil, fmt.Errorf("bring cluster up: %w", err)
	}
	return c, nil
}

// Open finds the running cluster of a directory. It does not look at the health
// of its components: Up does.
func Open(dir string) (*Cluster, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open cluster: %w", err)
	}
	s, err := loadState(dir)
	if err != nil {
		return nil, fmt.Errorf("open cluster: %w", err)
	}
	if !nodeLives(dir, s.PIDs[0]) {
		return nil, fmt.Errorf("open cluster: none is running in %s\nhint: make cluster-up", dir)
	}
	return &Cluster{dir: dir, state: s}, nil
}

// Down ends the cluster of a directory and removes everything Up made, the
// directory included. It does what is left to do: none running is no error.
func Down(ctx context.Context, dir string) error {
	if err := supported(); err != nil {
		return err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("take cluster down: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, downTimeout)
	defer cancel()
	unlock, err := lock.Directory(ctx, dir, func() {})
	if err != nil {
		return fmt.Errorf("take cluster down: %w", err)
	}
	defer unlock()
	if err := destroy(ctx, dir); err != nil {
		return fmt.Errorf("take cluster down: %w", err)
	}
	return nil
}

// Dir is the cluster's directory, absolute.
func (c *Cluster) Dir() string { return c.dir }

// Kubeconfig is the path of a kubeconfig with all rights.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.dir, "kubeconfig") }

// Kubectl is the path of a kubectl of the cluster's version. It does not find
// the kubeconfig by itself.
func (c *Cluster) Kubectl() string { return filepath.Join(c.dir, "bin", "kubectl") }

// NodeAddress is the first node's address, reachable from this machine only. The API
// server listens on its port 6443.
func (c *Cluster) NodeAddress() netip.Addr { return c.first().Address() }

// PodCIDR is where the pods' addresses come from. This machine has a route to
// them, so that a pod can be reached directly.
func (c *Cluster) PodCIDR() netip.Prefix { return c.state.network().pods() }

// NodePID is the host's process id of the first node's PID 1, whose death is the
// cluster's end. "nsenter -a -t PID" enters the node.
func (c *Cluster) NodePID() int { return c.first().PID() }
