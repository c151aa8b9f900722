package intercept

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/plan"
)

// restoreOptions is what `devtun restore` was asked to do.
type restoreOptions struct {
	kube   *kube.Flags
	name   string
	all    bool
	output string
}

// NewRestore is devtun restore.
func NewRestore(streams output.Streams) *cobra.Command {
	o := &restoreOptions{}
	cmd := &cobra.Command{
		Use:   "restore [NAME | --all]",
		Short: "Undo an intercept that nobody holds any more",
		Long: `Put back what an intercept has changed, as its plan in the cluster says, and remove
all that it made: from any machine, and as any user with the rights. NAME is an
intercept's, as 'devtun list' shows it. Without it the only one that stands is meant.

What somebody else has changed meanwhile stays as it is, and is named. An intercept
that a devtun still holds ends, and that devtun says so. One whose plan somebody has
deleted is found by the undo that stands on each object that it changed.`,
		Example: `  devtun list
  devtun restore service-middle
  devtun restore --all -n demo`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && o.all {
				return problem.Usage("write devtun restore NAME, or devtun restore --all",
					"devtun restore wants one name, or --all")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.name = args[0]
			}
			return runRestore(cmd.Context(), o, streams)
		},
		Annotations: map[string]string{ending.Finishes: ""},
	}
	flags := cmd.Flags()
	o.kube = kube.NewFlags(flags)
	flags.BoolVar(&o.all, "all", false, "restore all intercepts of the namespace")
	flags.StringVarP(&o.output, "output", "o", "", "'json' for events, one JSON object a line")
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), arguments.CompletionTimeout)
		defer cancel()
		_, plans, _ := listIn(ctx, o.kube)
		var names []string
		for _, p := range plans {
			names = append(names, p.Name)
		}
		return arguments.Matching(names, args, typed), cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

func runRestore(ctx context.Context, o *restoreOptions, streams output.Streams) (err error) {
	if o.output != "" && o.output != "json" {
		return problem.Usage("the only other output is json", "unknown --output %q", o.output)
	}
	out := console.NewWriter(streams, o.output, false)
	defer func() { out.Write(console.End(err)) }()
	s, plans, err := listIn(ctx, o.kube)
	if s == nil {
		return err
	}
	if err != nil && !o.all && !slices.ContainsFunc(plans, func(p *plan.Plan) bool { return p.Name == o.name }) {
		return err // what is meant may be what cannot be read
	}
	errs := []error{err}
	if plans, err = o.selected(s.namespace, plans); err != nil {
		return err
	}
	for _, p := range plans {
		errs = append(errs, s.restore(ctx, p, out))
	}
	return errors.Join(errs...)
}

// selected are the plans that were asked for.
func (o *restoreOptions) selected(namespace string, plans []*plan.Plan) ([]*plan.Plan, error) {
	var names []string
	for _, p := range plans {
		if p.Name == o.name {
			return []*plan.Plan{p}, nil
		}
		names = append(names, p.Name)
	}
	switch {
	case o.name != "":
		hint := "none stands there; 'devtun list -A' shows those of other namespaces"
		if len(names) > 0 {
			hint = "there are " + strings.Join(names, ", ")
		}
		if name := problem.Near(o.name, names); name != "" {
			hint = fmt.Sprintf("did you mean %s?", name)
		}
		return nil, &problem.Problem{Err: fmt.Errorf("no intercept %q in namespace %q", o.name, namespace),
			Code: problem.ExitNotFound, Hint: hint}
	case len(plans) > 1 && !o.all:
		return nil, problem.Usage("name one of "+strings.Join(names, ", ")+", or pass --all",
			"%d intercepts stand in namespace %q", len(plans), namespace)
	case len(plans) == 0 && !o.all:
		return nil, &problem.Problem{Err: fmt.Errorf("no intercept stands in namespace %q", namespace),
			Code: problem.ExitNotFound, Hint: "'devtun list -A' shows those of other namespaces"}
	}
	return plans, nil
}

func (s *lister) restore(ctx context.Context, p *plan.Plan, out output.Writer) error {
	var report *plan.Report
	err := within(ctx, RestoreTimeout, func(ctx context.Context) (err error) {
		report, err = plan.Restorer{Client: s.client}.RestoreAny(ctx, p)
		return err
	})
	if err != nil {
		return fmt.Errorf("restore %s: %w", p.Name, err)
	}
	TellRestored(out, report)
	if len(report.Conflicts) > 0 {
		return conflictProblem(report)
	}
	return nil
}
