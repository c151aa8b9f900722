package up

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/machine"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/project"
	"github.com/devtun/devtun/dns/helper"
)

// readyTimeout is how long everything may take to be ready, unless --wait says otherwise.
const readyTimeout = 5 * time.Minute

// options is what `devtun up` was asked to do.
type options struct {
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

func New(streams output.Streams, start helper.Start, commands Commands) *cobra.Command {
	o := &options{}
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
			return run(cmd.Context(), o, streams, start, commands)
		},
		Annotations: map[string]string{machine.Changes: ""},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.file, "file", "f", project.Name, "the project file")
	flags.StringVar(&o.name, "name", "", "name of the session (default: the file's, or else its folder's)")
	flags.BoolVarP(&o.detach, "detach", "d", false, "return when everything is ready, and leave the session in the background")
	flags.DurationVar(&o.wait, "wait", readyTimeout, "how long everything may take to be ready")
	flags.StringVar(&o.envFile, "env-file", "", "write the environment of the intercepted container to this file, whatever the project file says")
	flags.IntVar(&o.parent, "ppid", 0, "end the session when the process with this number ends")
	flags.BoolVarP(&o.verbose, "verbose", "v", false, "tell of each connection: pod, bytes, duration, why it ended")
	output.AddPlainFlag(flags, &o.plain)
	kubectls := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.kube = kube.NewFlags(kubectls)
	for _, name := range []string{"kubeconfig", "context", "namespace"} {
		flags.AddFlag(kubectls.Lookup(name))
	}
	o.kube.CompleteFlags(cmd)
	return cmd
}

func run(ctx context.Context, o *options, streams output.Streams, start helper.Start, commands Commands) error {
	if child := inheritedChild(); child != nil {
		return child.run(ctx, start, commands)
	}
	order, name, err := o.order(commands)
	if err != nil {
		return err
	}
	if o.detach && !canDetach {
		return problem.Usage("leave --detach out", "sessions in the background are not for this system")
	}
	directory, err := background.Default()
	if err != nil {
		return err
	}
	fmt.Fprintln(streams.Err, "devtun: starting up") // what IDEs wait for, see package output
	l := &launcher{
		name: name, order: order, detach: o.detach, wait: o.wait,
		directory: directory, streams: streams.Plain(o.plain), began: time.Now(),
		start: start, commands: commands,
	}
	return l.run(ctx)
}

// launcher has an order carried out, for who has called `devtun up`.
type launcher struct {
	name      string // of the session
	order     background.Order
	detach    bool
	wait      time.Duration
	directory background.Directory
	streams   output.Streams
	began     time.Time
	start     helper.Start
	commands  Commands
}

// run has the order carried out by the session that stands, or by a new one.
func (l *launcher) run(ctx context.Context) error {
	for {
		err := l.runOnce(ctx)
		var busy *background.BusyError
		if !errors.As(err, &busy) && !errors.Is(err, background.ErrNone) || ctx.Err() != nil {
			return err
		}
		// Another devtun was quicker: its session is the one now, or has just ended.
	}
}

func (l *launcher) runOnce(ctx context.Context) error {
	switch {
	case l.directory.Runs(l.name):
		return l.applyToStanding(ctx)
	case l.detach:
		return l.startChild(ctx)
	}
	return l.foreground(ctx)
}

// waiting bounds ctx by --wait.
func (l *launcher) waiting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, l.wait, &problem.Problem{
		Err:  fmt.Errorf("not everything was ready within %v", l.wait),
		Hint: "allow more with --wait; 'devtun logs' has the log of a session that goes on", Code: problem.ExitFailure,
	})
}

// applyToStanding has the session that runs carry the order out.
func (l *launcher) applyToStanding(ctx context.Context) error {
	client := l.directory.Client(l.name)
	ctx, cancel := l.waiting(ctx)
	defer cancel()
	stands, err := client.Await(ctx, l.directory)
	if err != nil {
		return err
	}
	if stands.File != "" && stands.File != l.order.File {
		return &problem.Problem{Err: fmt.Errorf("a session %q runs already, of %s", l.name, stands.File), Code: problem.ExitInUse,
			Hint: fmt.Sprintf("give this one another name with --name, or end that one: devtun down %s", l.name)}
	}
	if err := l.apply(ctx, client); err != nil {
		return err
	}
	l.ready(stands.PID)
	return nil
}

// apply has a session carry the order out, and passes on what it says.
func (l *launcher) apply(ctx context.Context, client *background.Client) error {
	outcome, err := client.Apply(ctx, l.order, func(line background.Line) { line.Print(l.streams.Out, l.streams.Err) })
	if err != nil {
		return err
	}
	return problem.FromOutcome(outcome)
}

// ready is the last line: all that was ordered stands.
func (l *launcher) ready(pid int) {
	fmt.Fprintf(l.streams.Err, "devtun: ready in %s (session %s, pid %d)\n", output.Brief(time.Since(l.began)), l.name, pid)
}

// foreground holds the session in this process.
func (l *launcher) foreground(ctx context.Context) error {
	place, err := l.directory.Claim(l.name)
	if err != nil {
		return err
	}
	s := newSession(l.name, newSessionLog(place.Log, l.streams), l.start, l.commands, func() error { return nil })
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx, place) }()
	waiting, cancel := l.waiting(ctx)
	outcome := s.Apply(waiting, l.order, func(background.Line) {})
	cancel()
	if err := problem.FromOutcome(outcome); err != nil {
		return errors.Join(ending.UnlessEnded(ctx, err), <-ended)
	}
	l.ready(s.view.Snapshot().PID)
	return <-ended
}
