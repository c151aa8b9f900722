package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
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

// Start starts a component that was stopped or has died and waits until it is
// healthy. To start one that runs is no error.
func (c *Cluster) Start(ctx context.Context, component Component) error {
	recipe, found := c.recipes()[component]
	if !found {
		return fmt.Errorf("start %s: no such component", component)
	}
	if err := c.start(ctx, component, recipe); err != nil {
		return fmt.Errorf("start %s: %w", component, err)
	}
	return nil
}

// Stop asks a component to end and waits until it has; one that does not within
// three seconds is killed. It stays ended until Start or Up.
func (c *Cluster) Stop(ctx context.Context, component Component) error {
	return c.end(ctx, component, stopGrace)
}

// Kill ends a component at once, as a crash would: SIGKILL.
func (c *Cluster) Kill(ctx context.Context, component Component) error {
	return c.end(ctx, component, 0)
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
	for _, component := range []Component{ControllerManager, Scheduler, Kubelet, KubeProxy, CoreDNS} {
		if err := c.Kill(ctx, component); err != nil {
			return err
		}
	}
	return c.serve(ctx)
}

func (c *Cluster) end(ctx context.Context, component Component, grace time.Duration) error {
	request := node.StopRequest{Name: string(component), Grace: grace}
	if err := c.node().Stop(ctx, request); err != nil {
		return fmt.Errorf("stop %s: %w", component, err)
	}
	return nil
}

// Running tells which components run, whatever their health.
func (c *Cluster) Running(ctx context.Context) (map[Component]bool, error) {
	processes, err := c.node().Processes(ctx)
	if err != nil {
		return nil, fmt.Errorf("list components: %w", err)
	}
	running := map[Component]bool{}
	for name, process := range processes {
		running[Component(name)] = process.Running
	}
	return running, nil
}

// startAll starts every component that does not run, each as soon as those it
// needs are healthy, and waits until all are healthy.
func (c *Cluster) startAll(ctx context.Context) error {
	recipes := c.recipes()
	healthy := map[Component]chan struct{}{}
	for component := range recipes {
		healthy[component] = make(chan struct{})
	}
	group, ctx := errgroup.WithContext(ctx)
	for component, recipe := range recipes {
		group.Go(func() error {
			for _, need := range recipe.needs {
				select {
				case <-healthy[need]:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			if err := c.start(ctx, component, recipe); err != nil {
				return fmt.Errorf("start %s: %w", component, err)
			}
			close(healthy[component])
			return nil
		})
	}
	return group.Wait()
}

// errDied is the end of waiting for a component's health.
var errDied = errors.New("it died")

func (c *Cluster) start(ctx context.Context, component Component, recipe recipe) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	processes, err := c.node().Processes(ctx)
	if err != nil {
		return err
	}
	if !processes[string(component)].Running {
		err := c.node().Start(ctx, node.Command{
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
		processes, lookErr := c.node().Processes(ctx)
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
		return fmt.Errorf("%w\n%s", err, c.logEnd(component))
	}
	return nil
}

// logEnd is what a component said last, with the place to read more.
func (c *Cluster) logEnd(component Component) string {
	file := filepath.Join(c.dir, "log", string(component)+".log")
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("the end of %s:\n%s", file, lastLines(text, shownLines))
}

func (c *Cluster) node() node.Client { return node.Client{PID: c.state.PID} }

// lastLines is the end of a text, in lines.
func lastLines(text []byte, count int) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}
