package intercept

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"

	"github.com/devtun/devtun/cmd/cli/agents"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/program"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/intercept/wire"
)

// Planned is an intercept from its plan to its end.
type Planned struct {
	options *Options
	Events  *Events
	cluster *kube.Cluster
	Target  *target.Target
	plan    *plan.Plan
	joins   bool // the plan is of an intercept that stands
	claim   claim.Claim
	client  *plan.Client
	Locals  []intercept.Local
	program *program.Program // the agents', if it comes with the plan
	tried   []string         // architectures, of which the last is the plan's
	guessed bool             // it is, and there are more
}

// Plan finds what is to be intercepted, and computes what that takes. It changes
// nothing.
func (o *Options) Plan(ctx context.Context, told Audience) (*Planned, error) {
	cluster, err := o.Forward.Kube.Connect()
	if err != nil {
		return nil, err
	}
	return o.PlanOn(ctx, cluster, told)
}

// PlanOn is Plan for a cluster that is there already.
func (o *Options) PlanOn(ctx context.Context, cluster *kube.Cluster, told Audience) (*Planned, error) {
	if err := o.findHost(ctx); err != nil {
		return nil, err
	}
	selected, err := o.Forward.Select(cluster.Namespace)
	if err != nil {
		return nil, err
	}
	if err := cluster.LogIn(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, kube.Timeout)
	defer cancel()
	if err := cluster.CheckNamespace(ctx, selected.Namespace); err != nil {
		return nil, err
	}
	if err := o.checkReading(ctx, cluster, selected.Namespace); err != nil {
		return nil, err
	}
	i := &Planned{options: o, cluster: cluster}
	if i.client, err = cluster.PlanClient(); err != nil {
		return nil, err
	}
	if i.Target, err = target.Resolve(ctx, cluster.Client, selected.Namespace, o.Name); err != nil {
		return nil, cluster.Elsewhere(ctx, err)
	}
	if err := o.checkServices(i.Target); err != nil {
		return nil, err
	}
	if i.Locals, err = o.locals(i.Target); err != nil {
		return nil, err
	}
	i.claim = o.newClaim(i.Locals)
	if o.Tap != nil {
		i.Locals = nil // only the ports were of interest
	}
	i.Events = &Events{Audience: told, Target: i.Target, Locals: i.Locals, Claim: i.claim, tap: o.Tap != nil}
	if err := i.checkHTTP(); err != nil {
		return nil, err
	}
	if o.Mirror && o.Tap == nil {
		i.Events.Note("all requests are answered as before: copies come here, and what is answered to those is dropped", "")
	}
	if err := i.compute(ctx, i.Target, i.Events.Note); err != nil {
		return nil, err
	}
	if note, some := i.Target.Unbrought(o.Container); some && o.Files != "" {
		i.Events.Note(note.Text, note.Hint)
	}
	return i, nil
}

// newClaim is this developer's, on what comes to the ports of locals.
func (o *Options) newClaim(locals []intercept.Local) claim.Claim {
	owner := agents.ThisOwner()
	c := claim.Claim{
		ID: claim.NewID(), User: owner.User, Machine: owner.Machine, Since: owner.Since, Rule: o.rule, TLS: o.TLS,
		Mirror: o.Mirror, Mark: o.Mark, Grace: claim.Duration(o.grace()), Reach: o.Reach,
	}
	for _, l := range locals {
		c.Ports = append(c.Ports, l.Port)
	}
	return c
}

// compute makes the plan, or takes that of the intercept which stands, and checks that
// this user may carry it out. What is good to know is noted. Without the right to grant
// the agent its own, the agent has to do without.
func (i *Planned) compute(ctx context.Context, found *target.Target, note func(text, hint string)) error {
	o := i.options
	if rights := found.ScaleRights(); o.Replace && len(rights) > 0 {
		if _, err := i.checkRights(ctx, rights); err != nil {
			return err
		}
	}
	circumstances, err := found.Look(ctx, i.cluster.Client, o.mode(), target.Move(o.Move))
	if err != nil {
		return err
	}
	for _, n := range circumstances.Notes {
		note(n.Text, n.Hint)
	}
	if i.joins = found.Standing != nil; i.joins {
		return i.checkStanding(ctx, found.Standing)
	}
	options := target.Options{
		Mode: o.mode(), Owner: agents.ThisOwner(), Identity: rand.Text(), Version: wire.Version,
		Container: o.Container, Grace: o.Grace, MoveConnections: o.Move != "",
		Relay: o.Relays || o.Forward.Relay != forwards.NoRelay,
	}
	if err := i.chooseProgram(ctx, circumstances, &options); err != nil {
		return err
	}
	if i.plan, err = found.Plan(circumstances, options); err != nil || o.DryRun {
		return err
	}
	lost, err := i.checkRights(ctx, target.RightsOf(i.plan))
	if err != nil {
		return err
	}
	told := make(map[string]bool)
	for _, right := range lost {
		if !told[right.Without] {
			note(fmt.Sprintf("without the right to %s: %s", right, right.Without),
				fmt.Sprintf("'devtun rbac %s' prints the Role that has it", o.feature()))
		}
		told[right.Without] = true
		if i.grantsRestore(right) && !options.NoRestore {
			options.NoRestore = true
			if i.plan, err = found.Plan(circumstances, options); err != nil {
				return err
			}
			if _, err = i.checkRights(ctx, target.RightsOf(i.plan)); err != nil { // it is removed otherwise
				return err
			}
		}
	}
	return nil
}

// checkStanding refuses to join an intercept where that cannot be. It takes its plan.
func (i *Planned) checkStanding(ctx context.Context, standing *plan.Held) error {
	i.plan = standing.Plan
	if i.options.Replace && !standing.Ending {
		return &plan.StandingError{Held: *standing}
	}
	if err := standing.Joinable(i.claim); err != nil || i.options.DryRun {
		return i.advise(err)
	}
	of := intercept.ContainerOf(i.plan)
	if i.options.Container != "" && of != "" && i.options.Container != of && !standing.Ending {
		return problem.Usage("leave --container out, or wait until the others have left",
			"the intercept that stands has the environment and files of container %q, not of %q", of, i.options.Container)
	}
	_, err := i.checkRights(ctx, target.RightsOf(i.plan)) // who leaves last puts everything back
	return err
}

// grantsRestore reports that a right is one by which the agent gets its own, or one of
// those: who lacks it may not grant it.
func (i *Planned) grantsRestore(right target.Right) bool {
	return right.Resource == "configmaps" && right.Verb == "patch" && !slices.Contains(i.plan.Program, right.Name) ||
		right.Resource == "serviceaccounts" || right.Resource == "roles" || right.Resource == "rolebindings"
}

// Render prints for --dry-run what would be done.
func (i *Planned) Render(out io.Writer) error {
	if i.joins {
		return target.RenderJoin(out, i.plan, i.claim)
	}
	return target.Render(out, i.plan, i.claim)
}
