package cluster

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/devtun/devtun/e2e/cluster/build"
	"github.com/devtun/devtun/e2e/cluster/node"
)

// up is Up, with the directory locked.
func up(ctx context.Context, dir string, options Options) (*Cluster, error) {
	if err := checkDirectory(dir); err != nil {
		return nil, err
	}
	if err := InstallNeeded(ctx, options.Progress); err != nil {
		return nil, err
	}
	module := options.Module
	if module == "" {
		var err error
		if module, err = build.Module(ctx); err != nil {
			return nil, err
		}
	}
	programs, err := buildPrograms(ctx, module, options.Progress)
	if err != nil {
		return nil, err
	}

	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	c, err := mend(ctx, dir, programs, options.Progress)
	if c == nil && err == nil {
		c, err = create(ctx, dir, programs, options.Progress)
	}
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(options.Progress, "ready: node %s at %s in %s\n",
		nodeName, c.NodeAddress(), time.Since(begin).Round(100*time.Millisecond))
	return c, nil
}

// mend brings the directory's cluster back to health as it is. It returns nil if
// only a new one will do.
func mend(ctx context.Context, dir string, programs programs, progress io.Writer) (*Cluster, error) {
	c, err := Open(dir)
	if err != nil {
		return nil, nil // it never ran, or its node died
	}
	if c.state.Build != programs.key() {
		fmt.Fprintln(progress, "the running cluster is of other programs: making it anew")
		return nil, nil
	}
	if _, err := os.Stat(c.Kubeconfig()); err != nil {
		fmt.Fprintln(progress, "the running cluster has lost its kubeconfig: making it anew")
		return nil, nil
	}
	bounded, cancel := context.WithTimeout(ctx, mendTimeout)
	defer cancel()
	if err := c.serve(bounded); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		fmt.Fprintf(progress, "the running cluster cannot be mended: making it anew: %v\n", err)
		return nil, nil
	}
	return c, nil
}

// serve starts what does not run and waits until the cluster can be used.
func (c *Cluster) serve(ctx context.Context) error {
	if err := c.startAll(ctx); err != nil {
		return err
	}
	if err := c.Load(ctx, filepath.Join(c.dir, pauseFile)); err != nil {
		return err
	}
	return c.awaitReady(ctx)
}

// create makes the directory's cluster, after removing what is left of a former one.
func create(ctx context.Context, dir string, programs programs, progress io.Writer) (*Cluster, error) {
	former, err := loadState(dir)
	if err != nil {
		return nil, err
	}
	if err := tearDown(ctx, dir); err != nil {
		return nil, err
	}
	taken, err := routed(ctx)
	if err != nil {
		return nil, err
	}
	s := newState(dir)
	s.Block, s.Build = former.Block, programs.key()
	if !s.Block.IsValid() || overlapsAny(s.Block, taken) {
		if s.Block, err = freeBlock(s.ID, taken); err != nil {
			return nil, err
		}
	}
	if err := saveState(dir, s); err != nil {
		return nil, err
	}
	fmt.Fprintf(progress, "starting a cluster at %s\n", s.network().node())
	if err := populate(dir, s, programs); err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, state: s}
	if err := c.boot(ctx, programs); err != nil {
		return nil, err
	}
	return c, c.serve(ctx)
}

// boot starts the node and gives it its place on the host.
func (c *Cluster) boot(ctx context.Context, programs programs) error {
	log, err := os.Create(filepath.Join(c.dir, "log", "node.log"))
	if err != nil {
		return fmt.Errorf("start node: %w", err)
	}
	defer log.Close()
	n := c.state.network()
	setup := node.Setup{
		Directory: c.dir,
		Programs:  programs.inNode(),
		Hostname:  nodeName,
		Address:   netip.PrefixFrom(n.node(), linkBits),
		Gateway:   n.host(),
		Routed:    n.services(),
	}
	return startNode(ctx, programs.init, log, setup, func(pid int) error {
		c.state.PID = pid
		if err := saveState(c.dir, c.state); err != nil {
			return err
		}
		if err := makeCgroups(c.state.cgroup(), pid); err != nil {
			return err
		}
		return makeLink(ctx, c.state.device(), pid, n)
	})
}
