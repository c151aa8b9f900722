package intercept

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/agents"
	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
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
		Use:   "restore [NAME] [--all]",
		Short: "Undo an intercept that was left behind",
		Long: `Put back what an intercept has changed, as its plan in the cluster says, and remove
all that it made. NAME is an intercept's, as 'devtun list' shows it. Without it the only
one that stands is meant.

What you have claimed on this machine is taken out; if others share the intercept, it
goes on for them, and the last one puts everything back. What others alone hold is left
alone, unless --all says otherwise: then it ends whoever holds it, from any machine, and
as any user with the rights; it is said who that was.

What somebody else has changed meanwhile stays as it is, and is named. A devtun that
still holds what is taken out ends, and says so; but one that uses a relay would make it
anew, so a relay that is in use stays, unless --all says otherwise. An intercept whose
plan somebody has deleted is found by the undo that stands on each object that it changed.`,
		Example: `  devtun list
  devtun restore service-middle
  devtun restore service-middle --all
  devtun restore --all -n demo`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return problem.Usage("write devtun restore NAME, or devtun restore --all",
					"devtun restore needs one name, or --all")
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
	flags.BoolVar(&o.all, "all", false, "whoever holds it: restore all intercepts of the namespace, or all of NAME")
	flags.StringVarP(&o.output, "output", "o", "", "'json' for events, one JSON object a line")
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), arguments.CompletionTimeout)
		defer cancel()
		_, held, _ := listIn(ctx, o.kube)
		var names []string
		for _, h := range held {
			names = append(names, h.Name)
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
	s, held, err := listIn(ctx, o.kube)
	if s == nil {
		return err
	}
	everything := o.all && o.name == ""
	if err != nil && !everything && !slices.ContainsFunc(held, func(h plan.Held) bool { return h.Name == o.name }) {
		return err // what is meant may be what cannot be read
	}
	errs := []error{err}
	if held, err = o.selected(s.namespace, held); err != nil {
		return err
	}
	for _, h := range held {
		errs = append(errs, s.end(ctx, h, o.all, out))
	}
	return errors.Join(errs...)
}

// selected are the plans that were asked for.
func (o *restoreOptions) selected(namespace string, plans []plan.Held) ([]plan.Held, error) {
	var names []string
	for _, p := range plans {
		if p.Name == o.name {
			return []plan.Held{p}, nil
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
		return nil, &problem.Problem{Err: fmt.Errorf("no intercepts in namespace %q", namespace),
			Code: problem.ExitNotFound, Hint: "'devtun list -A' shows those of other namespaces"}
	}
	return plans, nil
}

// end ends one's own claims on an intercept, or all, and restores it with the last.
func (s *lister) end(ctx context.Context, h plan.Held, all bool, out output.Writer) error {
	own, others := ownOf(h.Claims)
	used := s.used(ctx, h)
	if h.Ending || len(h.Claims) == 0 { // or made by a devtun that knows no claims
		all = true
	}
	switch {
	case all:
		for _, c := range others {
			out.Write(output.Note{Message: fmt.Sprintf("this ends what others hold of %s: %s", h.Name, c)})
		}
		if len(used) > 0 {
			out.Write(output.Note{Message: fmt.Sprintf("%s is in use: the devtun of %s makes it anew, as long as it runs",
				h.Name, strings.Join(owners(used), ", "))})
		}
		return s.restore(ctx, h.Plan, out)
	case len(own) == 0:
		return &problem.Problem{
			Err:  fmt.Errorf("%s is not yours: it is held by %s", h.Name, strings.Join(owners(others), ", ")),
			Code: problem.ExitConflict,
			Hint: fmt.Sprintf("if they do not need it any more: devtun restore %s -n %s --all", h.Name, h.Namespace)}
	case len(without(own, used)) == 0:
		return &problem.Problem{
			Err:  fmt.Errorf("%s is in use, by the devtun of %s", h.Name, strings.Join(owners(used), ", ")),
			Code: problem.ExitConflict,
			Hint: "it goes with the last devtun that uses it: 'devtun status' shows those of this machine, and 'devtun down' " +
				"ends one"}
	}
	last := false
	for _, c := range without(own, used) {
		err := within(ctx, RestoreTimeout, func(ctx context.Context) (err error) {
			ref := plan.Ref{Namespace: h.Namespace, Name: h.Name, Identity: h.Identity}
			last, err = plan.Leave(ctx, s.client, ref, c.ID)
			return err
		})
		switch {
		case errors.Is(err, plan.ErrNone): // gone just now, and perhaps not all of it
			last = true
		case err != nil:
			return fmt.Errorf("restore %s: %w", h.Name, err)
		}
	}
	if last {
		return s.restore(ctx, h.Plan, out)
	}
	tellLeft(out, h.Plan, append(others, without(used, others)...))
	return nil
}

// used are the claims on a relay whose devtuns use it: they are connected to its pods. Those
// of an intercept need not be known.
func (s *lister) used(ctx context.Context, h plan.Held) []claim.Claim {
	if h.Mode != plan.Relay {
		return nil
	}
	transport, err := s.cluster.Transport(tunnel.Auto)
	if err != nil {
		return nil
	}
	pool := tunnel.NewPool(transport.Dial)
	defer pool.Close()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return connected(h.Claims, intercept.Ask(ctx, s.cluster.Client, pool.Dial, h.Plan))
}

// connected are those of claims of which an agent says so.
func connected(claims []claim.Claim, statuses []wire.Status) []claim.Claim {
	return slices.DeleteFunc(slices.Clone(claims), func(c claim.Claim) bool {
		return !slices.ContainsFunc(statuses, func(s wire.Status) bool {
			return slices.ContainsFunc(s.Claims, func(of wire.ClaimStatus) bool { return of.ID == c.ID && of.Connected })
		})
	})
}

// without are claims, but for some.
func without(claims, some []claim.Claim) []claim.Claim {
	return slices.DeleteFunc(slices.Clone(claims), func(c claim.Claim) bool {
		return slices.ContainsFunc(some, func(other claim.Claim) bool { return c.ID == other.ID })
	})
}

// ownOf are those of claims that this user has made on this machine, and the others.
func ownOf(claims []claim.Claim) (own, others []claim.Claim) {
	me := agents.ThisOwner()
	for _, c := range claims {
		if c.User == me.User && c.Machine == me.Machine {
			own = append(own, c)
		} else {
			others = append(others, c)
		}
	}
	return own, others
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
