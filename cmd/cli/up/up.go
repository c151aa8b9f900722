package up

import (
	"context"
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
	"github.com/devtun/devtun/cmd/cli/status"
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
	dryRun  bool
	starter string
	verbose bool
	plain   bool
	kube    *kube.Flags // what is given of them goes over what the file says
}

func New(streams output.Streams, start helper.Start) *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start what the project file lists",
		Long: `Bring up what devtun.yaml lists: the services to forward, the workloads to intercept
and the programs to run, with the options of 'devtun forward' and 'devtun intercept'
under the same words. The file is that of this folder, or of the nearest one above it;
devtun.local.yaml beside it goes over it. In the foreground it goes on until Ctrl-C,
and then puts everything back. With --detach it returns as soon as everything is ready,
and the session goes on in the background, also when the terminal is closed: 'devtun
status' shows it, 'devtun logs' tells what it has said, 'devtun down' ends it.

Run again while the session stands, it applies what has changed in the file, says what
it did and returns. What stays is not disturbed: its connections go on. A program whose
entry has changed, or that has ended by itself, is started again; 'devtun restart' does
that without a change.

If something does not come up, everything is put back, and the exit code is that of
what has failed. A project file, with all there is:

  name: shop                      # of the session (default: the folder's name)
  kubeconfig: ./kubeconfig        # paths are from this file's folder
  context: dev
  namespace: demo                 # gives bare names
  clusterDomain: cluster.local
  transport: auto
  link: auto
  noForward: false
  forward:                        # all services of the namespace, if nothing is said
    services: [service-back, search.shop]
    namespaces: [shop]
    allNamespaces: false
    selector: tier=backend
    except: [service-front]
    ports: [service-back:8080:80]
    headers: ['baggage: devtun=KEY']
    hold: 30s
    hostsFile: ./hosts
    podAddresses: false           # the pods' own, which Redis Cluster tells its clients
  intercepts:
    - workload: service-middle
      namespace: demo
      ports: [3000:http]
      to: localhost
      match:                      # which requests; all, if nothing is said
        headers: [x-tester=7, accept~json]
        path: /api/
        methods: [POST, PUT]
        personal: true            # baggage: devtun=KEY, of your name or of this one
      tls: false
      mark: false
      mirror: false
      noCarry: false
      replace: false
      moveConnections: evict
      grace: 1m
      container: app
      agentImage: registry.example/devtun-agent:dev
      envFile: .env
      envJson: env.json
      envFormat: dotenv
      files: ./mounts
      keep: false
      run:                        # what answers; or just its command
        command: go run .         # a text, or a list of words
        env: {LOG_LEVEL: debug}
        workingDir: ./middle
  env:                            # of workloads that go on as they are
    - workload: deploy/worker
      envFile: .env.worker        # all that is said of it above, but for its traffic
      files: ./worker
  run:                            # programs that reach the services, by name
    web: npm start
    worker:
      command: [go, run, ./worker]
      env: [QUEUE=${QUEUE:-orders}]
      workingDir: .
      as: deploy/worker           # whose container's environment and files it has
      namespace: demo
      container: app
      agentImage: registry.example/devtun-agent:dev`,
		Example: `  # until Ctrl-C
  devtun up

  # what would it do?
  devtun up --dry-run

  # in the background, from a script or an IDE
  devtun up --detach --wait 1m
  devtun down

  # another file; the container's environment for the debugger
  devtun up -f dev/devtun.yaml --detach --env-file .env

  # end with the IDE that has started it
  devtun up --detach --ppid $PPID`,
		Args: arguments.None,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withHint(run(cmd.Context(), o, streams, start))
		},
		Annotations: map[string]string{machine.Changes: ""},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.file, "file", "f", "",
		"the project file (default: "+project.Name+" in this folder, or in the nearest one above it)")
	flags.StringVar(&o.name, "name", "", "name of the session (default: the file's, or else its folder's)")
	flags.BoolVarP(&o.detach, "detach", "d", false,
		"return when everything is ready, and leave the session in the background")
	flags.DurationVar(&o.wait, "wait", readyTimeout, "how long everything may take to be ready")
	flags.StringVar(&o.envFile, "env-file", "",
		"write the environment of the intercepted container to this file, whatever the project file says")
	flags.BoolVar(&o.dryRun, "dry-run", false, "print what would be brought up, as YAML, and change nothing")
	flags.IntVar(&o.parent, "ppid", 0,
		"end the session when the process with this number ends, unless it was started without")
	flags.StringVar(&o.starter, "started-by", "",
		"who starts the session, for 'devtun down --started-by'; one that runs already keeps what it has")
	console.AddVerboseFlag(flags, &o.verbose)
	console.AddPlainFlag(flags, &o.plain)
	kubectls := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.kube = kube.NewFlags(kubectls)
	for _, name := range []string{"kubeconfig", "context", "namespace"} {
		flags.AddFlag(kubectls.Lookup(name))
	}
	o.kube.CompleteFlags(cmd)
	return cmd
}

func run(ctx context.Context, o *options, streams output.Streams, start helper.Start) error {
	if child := inheritedChild(); child != nil {
		return child.run(ctx, start)
	}
	order, name, err := o.order()
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
	out := console.NewWriter(streams, "", false)
	if !o.dryRun {
		out.Write(output.Starting{Command: "up"})
	}
	for _, warning := range order.Project.Warnings {
		out.Write(output.Warning{Message: warning})
	}
	if o.dryRun {
		var stands status.Snapshot
		if directory.Runs(name) {
			if stands, err = directory.Client(name).Snapshot(ctx); err != nil {
				return err
			}
		}
		return ending.UnlessEnded(ctx, dryRun(ctx, name, order, stands, streams))
	}
	l := &launcher{
		name: name, order: order, detach: o.detach, wait: o.wait,
		directory: directory, streams: streams.Plain(o.plain), began: time.Now(),
		start: start,
	}
	return l.run(ctx)
}
