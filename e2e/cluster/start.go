package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/devtun/devtun/e2e/cluster/node"
)

const (
	// startTimeout bounds how long a component may take to become healthy.
	startTimeout = 45 * time.Second
	// stopGrace is how long a component may take to end before it is killed. The
	// API server takes it all: it waits for its watches, which do not end.
	stopGrace = 3 * time.Second
	// shownLines is how much of a component's log an error shows.
	shownLines = 12
)

// Start starts a component of the first node that was stopped or has died and waits
// until it is healthy. To start one that runs is no error.
func (c *Cluster) Start(ctx context.Context, component Component) error {
	recipe, found := c.first().recipes()[component]
	if !found {
		return fmt.Errorf("start %s: no such component", component)
	}
	return c.first().start(ctx, component, recipe)
}

// Stop asks a component of the first node to end and waits until it has; one that does not within
// three seconds is killed. It stays ended until Start or Up.
func (c *Cluster) Stop(ctx context.Context, component Component) error {
	return c.first().end(ctx, component, stopGrace)
}

// Kill ends a component at once, as a crash would: SIGKILL.
func (c *Cluster) Kill(ctx context.Context, component Component) error {
	return c.first().end(ctx, component, 0)
}

// Refresh ends all that watches the API server, starts it again with whatever
// else does not run, and waits until the cluster can be used.
//
// An API server that was killed refuses every watch as forbidden for a moment
// when it is back, before it has read the roles (/readyz waits for them, its port
// does not). Each informer of the others then backs off by itself, for up to 30 s
// at a time: pods may come up while kube-proxy does not hear of their endpoints
// for a minute more. Started anew, they know at once.
func (c *Cluster) Refresh(ctx context.Context) error {
	for _, n := range c.Nodes() {
		if !n.lives() {
			continue
		}
		for component, recipe := range n.recipes() {
			if !slices.Contains(recipe.needs, APIServer) {
				continue
			}
			if err := n.end(ctx, component, 0); err != nil {
				return err
			}
		}
	}
	return c.serve(ctx, c.Nodes())
}

func (n Node) end(ctx context.Context, component Component, grace time.Duration) error {
	request := node.StopRequest{Name: string(component), Grace: grace}
	if err := n.client().Stop(ctx, request); err != nil {
		return fmt.Errorf("stop %s on %s: %w", component, n.Name(), err)
	}
	return nil
}

// Running tells which components of the node run, whatever their health.
func (n Node) Running(ctx context.Context) (map[Component]bool, error) {
	if !n.lives() {
		return nil, nil
	}
	processes, err := n.client().Processes(ctx)
	if err != nil {
		return nil, fmt.Errorf("list components: %w", err)
	}
	running := map[Component]bool{}
	for name, process := range processes {
		running[Component(name)] = process.Running
	}
	return running, nil
}

// startAll starts every component that does not run on the nodes, each as soon as
// those it needs are healthy, and waits until all are healthy. Those needed of the
// first node, where that is not among the nodes, are healthy already.
func startAll(ctx context.Context, nodes []Node) error {
	type place struct {
		node int
		Component
	}
	healthy := map[place]chan struct{}{}
	for _, n := range nodes {
		for component := range n.recipes() {
			healthy[place{n.number, component}] = make(chan struct{})
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, n := range nodes {
		for component, recipe := range n.recipes() {
			group.Go(func() error {
				for _, need := range recipe.needs {
					needed := place{n.number, need}
					if !need.everywhere() {
						needed.node = 1
					}
					if healthy[needed] == nil {
						continue
					}
					select {
					case <-healthy[needed]:
					case <-ctx.Done():
						return context.Cause(ctx)
					}
				}
				if err := n.start(ctx, component, recipe); err != nil {
					return err
				}
				close(healthy[place{n.number, component}])
				return nil
			})
		}
	}
	return group.Wait()
}

// errDied is the end of waiting for a component's health.
var errDied = errors.New("it died")

func (n Node) start(ctx context.Context, component Component, recipe recipe) error {
	if err := n.tryStart(ctx, component, recipe); err != nil {
		return fmt.Errorf("start %s on %s: %w", component, n.Name(), err)
	}
	return nil
}

func (n Node) tryStart(ctx context.Context, component Component, recipe recipe) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	processes, err := n.client().Processes(ctx)
	if err != nil {
		return err
	}
	if !processes[string(component)].Running {
		err := n.client().Start(ctx, node.Command{
			Name: string(component),
			Args: recipe.args,
			Log:  path.Join(node.Home, "log", string(component)+".log"),
		})
		if err != nil {
			return err
		}
	}
	ctx, died := context.WithCancelCause(ctx)
	defer died(nil)
	err = poll(ctx, func(ctx context.Context) error {
		err := recipe.healthy(ctx)
		if err == nil {
			return nil
		}
		processes, lookErr := n.client().Processes(ctx)
		if lookErr != nil {
			return lookErr
		}
		if process := processes[string(component)]; !process.Running {
			died(errDied)
			return errors.New(process.Exit)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, n.logEnd(component))
	}
	return nil
}

// logEnd is what a component said last, with the place to read more.
func (n Node) logEnd(component Component) string {
	file := filepath.Join(n.home(), "log", string(component)+".log")
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("the end of %s:\n%s", file, lastLines(text, shownLines))
}

// lastLines is the end of a text, in lines.
func lastLines(text []byte, count int) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}
