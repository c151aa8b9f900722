package doctor

import (
	"context"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/doctor/service"
	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/run/command"
)

// options is what `devtun doctor` was asked to do.
type options struct {
	kube       *kube.Flags
	asked      string // SERVICE[:PORT] or WORKLOAD; "" for the namespace
	probe      bool
	headers    bool
	agentImage string // "" for the workload's own
	hostsFile  string // "" for the system's
	output     string
}

// New is devtun doctor.
func New(streams output.Streams) *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "doctor [SERVICE[:PORT] | WORKLOAD]",
		Short: "Find what is wrong between this machine and a service",
		Long: `Check the way from this machine to a service of the cluster, in the order in which a
byte takes it, and say first what is wrong: this machine, the API server, the service,
and with --probe the cluster's network.

Without an argument, the services of the namespace are looked at briefly. Nothing is
changed, here or in the cluster, without --probe or --headers. It needs no more rights
than you have: what you may not look at is said to be not checked, and why.

docs/doctor.md has every check, what its fault means and what to do.

Exit codes: 0 without a fault, warnings or not; 1 with one.`,
		Example: `  devtun doctor
  devtun doctor service-front
  devtun doctor service-front:80 --probe
  devtun doctor -o json | jq '.results[] | select(.status == "fault")'`,
		Args:        oneService,
		Annotations: map[string]string{ending.Finishes: ""},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.asked = args[0]
			}
			return run(cmd.Context(), o, streams)
		},
	}
	o.kube = kube.NewFlags(cmd.Flags())
	flags := cmd.Flags()
	flags.BoolVar(&o.probe, "probe", false,
		"start a pod on each of up to five nodes, for some seconds, that tries the cluster's network from there")
	flags.BoolVar(&o.headers, "headers", false,
		"send a request through the service, and look in which service its headers are lost: agents are put in the way")
	flags.StringVar(&o.agentImage, "agent-image", "",
		"for --probe and --headers: an image that has the agent (default: that of the workload)")
	flags.StringVar(&o.hostsFile, "hosts-file", "", "look at this file (default: the system's hosts file)")
	flags.StringVarP(&o.output, "output", "o", "", "'json' for one JSON object with all results")
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"json"}, cobra.ShellCompDirectiveNoFileComp))
	o.kube.CompleteFlags(cmd)
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return o.kube.CompleteServices(func(*corev1.Service) bool { return true })(cmd, args, typed)
	}
	return cmd
}

func oneService(_ *cobra.Command, args []string) error {
	if len(args) > 1 || len(args) == 1 && args[0] == "" {
		return problem.Usage("write devtun doctor NAME, or leave it out",
			"devtun doctor wants at most one service or workload")
	}
	return nil
}

func (o *options) validate() error {
	switch {
	case o.output != "" && o.output != "json":
		return problem.Usage("the only other output is json", "unknown --output %q", o.output)
	case len(o.kube.Namespaces) > 1:
		return problem.Usage("give one", "devtun doctor works in one --namespace")
	case o.headers && o.asked == "":
		return problem.Usage("name the service that gets the request first", "--headers needs a SERVICE")
	}
	return service.Usage(o.asked)
}

// run writes what is found. A fault is exit code 1, and no error: all has been said.
func run(ctx context.Context, o *options, streams output.Streams) error {
	if err := o.validate(); err != nil {
		return err
	}
	results := o.examine(ctx, streams.Err)
	if ctx.Err() != nil {
		return nil // somebody has ended it: what it has found is half the truth
	}
	report := newReport(results)
	if err := report.write(streams, o.output); err != nil {
		return err
	}
	if report.Status == check.Fault {
		return &command.ExitError{Code: int(problem.ExitFailure)}
	}
	return nil
}
