package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/machine"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/project"
	"github.com/devtun/devtun/dns/helper"
)

const (
	// upTimeout is how long everything may take to be ready, unless --wait says
	// otherwise.
	upTimeout = 5 * time.Minute

	// goneTimeout bounds the wait for a session's process, once all is put back.
	goneTimeout = 10 * time.Second

	// goneEvery is how often that is looked at.
	goneEvery = 20 * time.Millisecond
)

// upOptions is what `devtun up` was asked to do.
type upOptions struct {
	file    string
	name    string // "": the file's
	detach  bool
	wait    time.Duration
	envFile string
	parent  int // 0: none
	verbose bool
	plain   bool
	kube    *kube.Flags // what is given of them goes over what the file says
}

func newUp(streams output.Streams, start helper.Start) *cobra.Command {
	o := &upOptions{}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring up what the project file lists",
		Long: `Bring up what devtun.yaml lists: the services to forward and the workloads to
intercept, with the options of 'devtun forward' and 'devtun intercept' under the same
words. In the foreground it goes on until Ctrl-C, and then puts everything back. With
--detach it returns as soon as everything is ready, and the session goes on in the
background, also when the terminal is closed: 'devtun status' shows it, 'devtun logs'
tells what it has said, 'devtun down' ends it.

Run again while the session stands, it applies what has changed in the file, says what
it did and returns. What stays is not disturbed: its connections go on.

If something does not come up, everything is put back, and the exit code is that of
what has failed. A project file, with all there is:

  name: shop                      # of the session (default: the folder's name)
  kubeconfig: ./kubeconfig        # paths are from this file's folder
  context: dev
  namespace: demo                 # gives bare names
  clusterDomain: cluster.local
  transport: auto
  noForward: false
  forward:                        # all services of the namespace, if nothing is said
    services: [service-back, search.shop]
    namespaces: [shop]
    allNamespaces: false
    selector: tier=backend
    except: [service-front]
    ports: [service-back:8080:80]
    hold: 30s
    hostsFile: ./hosts
  intercepts:
    - workload: service-middle
      namespace: demo
      ports: [3000:http]
      to: localhost
      replace: false
      moveConnections: evict
      grace: 1m
      container: app
      agentImage: registry.example/devtun-agent:dev
      envFile: .env
      envJson: env.json
      envFormat: dotenv
      files: ./mounts
      keep: false`,
		Example: `  # until Ctrl-C
  devtun up

  # in the background, from a script or an IDE
  devtun up --detach --wait 1m
  devtun down

  # another file; the container's environment for the debugger
  devtun up -f dev/devtun.yaml --detach --env-file .env

  # end with the IDE that has started it
  devtun up --detach --ppid $PPID`,
		Args: arguments.None,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runUp(cmd.Context(), o, streams, start)
		},
		Annotations: map[string]string{machine.Changes: ""},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.file, "file", "f", project.Name, "the project file")
	flags.StringVar(&o.name, "name", "", "name of the session (default: the file's, or else its folder's)")
	flags.BoolVarP(&o.detach, "detach", "d", false, "return when everything is ready, and leave the session in the background")
	flags.DurationVar(&o.wait, "wait", upTimeout, "how long everything may take to be ready")
	flags.StringVar(&o.envFile, "env-file", "", "write the environment of the intercepted container to this file, whatever the project file says")
	flags.IntVar(&o.parent, "ppid", 0, "end the session when the process with this number ends")
	flags.BoolVarP(&o.verbose, "verbose", "v", false, "tell of each connection: pod, bytes, duration, why it ended")
	console.AddPlainFlag(flags, &o.plain)
	kubectls := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.kube = kube.NewFlags(kubectls)
	for _, name := range []string{"kubeconfig", "context", "namespace"} {
		flags.AddFlag(kubectls.Lookup(name))
	}
	o.kube.CompleteFlags(cmd)
	return cmd
}

func runUp(ctx context.Context, o *upOptions, streams output.Streams, start helper.Start) error {
	if child := inheritedChild(); child != nil {
		return child.run(ctx, start)
	}
	p, name, err := o.readProject()
	if err != nil {
		return err
	}
	file, err := filepath.Abs(o.file)
	if err != nil {
		return err
	}
	order := background.Order{File: file, Project: p, Environment: orderEnvironment(), Verbose: o.verbose}
	if order.Parent, err = parentOf(o.parent); err != nil {
		return err
	}
	if o.detach && !canDetach {
		return problem.Usage("leave --detach out", "sessions in the background are not for this system")
	}
	directory, err := background.Default()
	if err != nil {
		return err
	}
	u := &upping{upOptions: o, name: name, order: order, directory: directory, streams: streams.Plain(o.plain), began: time.Now()}
	console.NewWriter(streams, "", false).Write(output.Starting{Command: "up"})
	return u.run(ctx, start)
}

// upping is one `devtun up` at work.
type upping struct {
	*upOptions
	name      string
	order     background.Order
	directory background.Directory
	streams   output.Streams
	began     time.Time
}

// run has the order carried out by the session that stands, or by a new one.
func (u *upping) run(ctx context.Context, start helper.Start) error {
	for {
		err := u.runOnce(ctx, start)
		var busy *background.BusyError
		if !errors.As(err, &busy) && !errors.Is(err, background.ErrNone) || ctx.Err() != nil {
			return err
		}
		// Another devtun was quicker: its session is the one now, or has just ended.
	}
}

func (u *upping) runOnce(ctx context.Context, start helper.Start) error {
	switch {
	case u.directory.Runs(u.name):
		return u.applyToStanding(ctx)
	case u.detach:
		return u.startChild(ctx)
	}
	return u.foreground(ctx, start)
}

// waiting bounds ctx by --wait.
func (u *upping) waiting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, u.wait, &problem.Problem{
		Err:  fmt.Errorf("not everything was ready within %v", u.wait),
		Hint: "allow more with --wait; 'devtun logs' has the log of a session that goes on", Code: problem.ExitFailure,
	})
}

// applyToStanding has the session that runs carry the order out.
func (u *upping) applyToStanding(ctx context.Context) error {
	client := u.directory.Client(u.name)
	ctx, cancel := u.waiting(ctx)
	defer cancel()
	stands, err := client.Await(ctx, u.directory)
	if err != nil {
		return err
	}
	if stands.File != "" && stands.File != u.order.File {
		return &problem.Problem{Err: fmt.Errorf("a session %q runs already, of %s", u.name, stands.File), Code: problem.ExitInUse,
			Hint: fmt.Sprintf("give this one another name with --name, or end that one: devtun down %s", u.name)}
	}
	if err := u.apply(ctx, client); err != nil {
		return err
	}
	u.ready(stands.PID)
	return nil
}

// apply has a session carry the order out, and passes on what it says.
func (u *upping) apply(ctx context.Context, client *background.Client) error {
	outcome, err := client.Apply(ctx, u.order, printWord(u.streams))
	if err != nil {
		return err
	}
	return problem.FromOutcome(outcome)
}

// printWord prints on streams what a session has said.
func printWord(streams output.Streams) func(background.Word) {
	return func(word background.Word) {
		if word.Err != "" {
			fmt.Fprintln(streams.Err, word.Err)
			return
		}
		fmt.Fprintln(streams.Out, word.Out)
	}
}

// ready is the last word: all that was ordered stands.
func (u *upping) ready(pid int) {
	fmt.Fprintf(u.streams.Err, "devtun: ready in %s (session %s, pid %d)\n", output.Brief(time.Since(u.began)), u.name, pid)
}

// foreground holds the session in this process.
func (u *upping) foreground(ctx context.Context, start helper.Start) error {
	place, err := u.directory.Claim(u.name)
	if err != nil {
		return err
	}
	s := newProjectSession(ctx, u.name, &sayings{log: place.Log, terminal: u.streams}, start)
	ended := make(chan error, 1)
	go func() { ended <- s.run(place) }()
	waiting, cancel := u.waiting(ctx)
	outcome := s.Apply(waiting, u.order, func(background.Word) {})
	cancel()
	if err := problem.FromOutcome(outcome); err != nil {
		return errors.Join(ending.UnlessEnded(ctx, err), <-ended)
	}
	u.ready(s.view.Snapshot().PID)
	return <-ended
}

// gone waits until no process holds the session any more.
func gone(ctx context.Context, directory background.Directory, name string) error {
	ctx, cancel := context.WithTimeout(ctx, goneTimeout)
	defer cancel()
	look := time.NewTicker(goneEvery)
	defer look.Stop()
	for directory.Runs(name) {
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("session %s has put everything back, but does not end: %w", name, context.Cause(ctx))
		}
	}
	return nil
}
