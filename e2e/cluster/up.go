package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/devtun/devtun/e2e/cluster/build"
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
	former, err := loadState(dir)
	if err != nil {
		return nil, err
	}
	shape := options.Shape
	if nodeLives(dir, former.PIDs[0]) {
		shape = shape.or(former.Shape)
	}
	shape = shape.or(defaultShape)
	if err := shape.check(); err != nil {
		return nil, err
	}
	programs, err := buildPrograms(ctx, module, shape, options.Progress)
	if err != nil {
		return nil, err
	}

	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	c, err := mend(ctx, dir, shape, programs, options.Progress)
	if c == nil && err == nil {
		c, err = create(ctx, dir, shape, programs, options.Progress)
	}
	if err != nil {
		return nil, err
	}
	for _, n := range c.Nodes() {
		fmt.Fprintf(options.Progress, "ready: node %s at %s in %s\n",
			n.Name(), n.Address(), time.Since(begin).Round(100*time.Millisecond))
	}
	return c, nil
}

// Build builds what a cluster of a shape runs, so that Up need not. The arguments are
// those of Options.
func Build(ctx context.Context, module string, shape Shape, progress io.Writer) error {
	_, err := buildPrograms(ctx, module, shape.or(defaultShape), progress)
	return err
}

// mend brings the directory's cluster back to health as it is. It returns nil if
// only a new one will do.
func mend(ctx context.Context, dir string, shape Shape, programs programs, progress io.Writer) (*Cluster, error) {
	c, err := Open(dir)
	if err != nil {
		return nil, nil // it never ran, or its node died
	}
	if c.state.Programs != programs || c.state.Shape != shape {
		fmt.Fprintln(progress, "the running cluster is of other programs or another shape: making it anew")
		return nil, nil
	}
	if _, err := os.Stat(c.Kubeconfig()); err != nil {
		fmt.Fprintln(progress, "the running cluster has lost its kubeconfig: making it anew")
		return nil, nil
	}
	bounded, cancel := context.WithTimeout(ctx, mendTimeout)
	defer cancel()
	if err := c.serve(bounded, c.Nodes()); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		fmt.Fprintf(progress, "the running cluster cannot be mended: making it anew: %v\n", err)
		return nil, nil
	}
	return c, nil
}

// serve starts what does not run of the nodes and waits until these can be used.
func (c *Cluster) serve(ctx context.Context, nodes []Node) error {
	for _, n := range nodes {
		if n.lives() {
			continue
		}
		if err := n.boot(ctx); err != nil {
			return err
		}
	}
	if err := startAll(ctx, nodes); err != nil {
		return err
	}
	for _, n := range nodes {
		if err := n.Load(ctx, filepath.Join(c.dir, pauseFile)); err != nil {
			return err
		}
	}
	return c.awaitReady(ctx, nodes)
}

// create makes the directory's cluster, after removing what is left of a former one.
func create(ctx context.Context, dir string, shape Shape, programs programs, progress io.Writer) (*Cluster, error) {
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
	s.Block, s.Shape, s.Programs = former.Block, shape, programs
	if s.Block.Bits() != blockBits || overlapsAny(s.Block, taken) {
		if s.Block, err = freeBlock(s.ID, taken); err != nil {
			return nil, err
		}
	}
	if err := saveState(dir, s); err != nil {
		return nil, err
	}
	fmt.Fprintf(progress, "starting a cluster at %s\n", s.network().node(1))
	if err := populate(dir, s); err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, state: s}
	return c, c.serve(ctx, c.Nodes())
}
