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
  load TAR           put the images of a tarball into it
  kubectl ARGS…      run its kubectl against it
  stop COMPONENT     end one of its components
  start COMPONENT    start it again and wait until it is healthy
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
		_, err := cluster.Up(ctx, cluster.Options{Dir: *dir, Progress: stderr})
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
	case command == "stop" && len(args) == 1:
		return c.Stop(ctx, cluster.Component(args[0]))
	case command == "start" && len(args) == 1:
		return c.Start(ctx, cluster.Component(args[0]))
	case command == "kubectl":
		return kubectl(ctx, c, args)
	}
	flags.Usage()
	return fmt.Errorf("no command %q with %d arguments", command, len(args))
}

func status(ctx context.Context, c *cluster.Cluster, stdout io.Writer) error {
	running, err := c.Running(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "kubeconfig %s\nnode %s, process %d\npods %s\n",
		c.Kubeconfig(), c.NodeAddress(), c.NodePID(), c.PodCIDR())
	for _, component := range cluster.Components() {
		word := "stopped"
		if running[component] {
			word = "running"
		}
		fmt.Fprintf(stdout, "%-24s %s\n", component, word)
	}
	return nil
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
