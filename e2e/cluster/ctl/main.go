// Command ctl brings the local cluster up and down and does small things with it.
//
//	go run -C e2e ./cluster/ctl up
//	go run -C e2e ./cluster/ctl kubectl get pods -A
//
// The cluster's directory is .cluster in the devtun module unless -dir says
// otherwise.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/devtun/devtun/e2e/cluster"
	"github.com/devtun/devtun/e2e/cluster/build"
)

const usage = `usage: ctl [-dir DIRECTORY] COMMAND

  up                 make the cluster, or mend it, and wait until it is ready
  down               end it and remove everything it made
  status             tell what runs
  load TAR [NODE]    put the images of a tarball into it, on all nodes or one
  kubectl ARGS…      run its kubectl against it
  stop COMPONENT     end one of its components
  start COMPONENT    start it again and wait until it is healthy
  node cut NODE      have all packets from and to a node vanish
  node mend NODE     have them pass again
  node kill NODE     end a node with all that runs on it
  node start NODE    start it again and wait until it takes pods

What it is like: CLUSTER_NODES=1 to 4, CLUSTER_PROXY=nftables or iptables,
CLUSTER_KUBERNETES=1.35 or 1.34, CLUSTER_POLICIES=1 to have NetworkPolicies enforced.
What is not said stays as it is.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	var said exitCode
	switch {
	case err == nil:
	case errors.As(err, &said):
		os.Exit(int(said))
	default:
		fmt.Fprintln(os.Stderr, "ctl:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("ctl", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	dir := flags.String("dir", "", "the cluster's directory")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("read flags: %w", err)
	}
	if *dir == "" {
		module, err := build.Module(ctx)
		if err != nil {
			return err
		}
		*dir = filepath.Join(module, ".cluster")
	}
	command, args := flags.Arg(0), flags.Args()[min(1, flags.NArg()):]
	switch {
	case command == "up" && len(args) == 0:
		shape, err := cluster.ShapeFromEnv()
		if err != nil {
			return err
		}
		_, err = cluster.Up(ctx, cluster.Options{Dir: *dir, Shape: shape, Progress: stderr})
		return err
	case command == "down" && len(args) == 0:
		return cluster.Down(ctx, *dir)
	}

	c, err := cluster.Open(*dir)
	if err != nil {
		return err
	}
	switch {
	case command == "status" && len(args) == 0:
		return status(ctx, c, stdout)
	case command == "load" && len(args) == 1:
		return c.Load(ctx, args[0])
	case command == "load" && len(args) == 2:
		n, err := c.Node(args[1])
		if err != nil {
			return err
		}
		return n.Load(ctx, args[0])
	case command == "stop" && len(args) == 1:
		return c.Stop(ctx, cluster.Component(args[0]))
	case command == "start" && len(args) == 1:
		return c.Start(ctx, cluster.Component(args[0]))
	case command == "node" && len(args) == 2:
		return nodeDo(ctx, c, args[0], args[1])
	case command == "kubectl":
		return kubectl(ctx, c, args)
	}
	flags.Usage()
	return fmt.Errorf("no command %q with %d arguments", command, len(args))
}

func status(ctx context.Context, c *cluster.Cluster, stdout io.Writer) error {
	fmt.Fprintf(stdout, "kubeconfig %s\npods %s\n", c.Kubeconfig(), c.PodCIDR())
	for _, n := range c.Nodes() {
		fmt.Fprintf(stdout, "node %s at %s, process %d\n", n.Name(), n.Address(), n.PID())
		running, err := n.Running(ctx)
		if err != nil {
			return err
		}
		for _, component := range n.Components() {
			word := "stopped"
			if running[component] {
				word = "running"
			}
			fmt.Fprintf(stdout, "  %-24s %s\n", component, word)
		}
	}
	return nil
}

// nodeDo does something to the node of a name.
func nodeDo(ctx context.Context, c *cluster.Cluster, what, name string) error {
	n, err := c.Node(name)
	if err != nil {
		return err
	}
	do, found := map[string]func(context.Context) error{
		"cut": n.Cut, "mend": n.Mend, "kill": n.Kill, "start": n.Start,
	}[what]
	if !found {
		return fmt.Errorf("node %s: want cut, mend, kill or start", what)
	}
	return do(ctx)
}

func kubectl(ctx context.Context, c *cluster.Cluster, args []string) error {
	cmd := exec.CommandContext(ctx, c.Kubectl(), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exitCode(exit.ExitCode())
	}
	return err
}

// exitCode is the failure of a program that has itself told what went wrong.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit status %d", int(c)) }
