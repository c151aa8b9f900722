package intercept

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/plan"
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
	client  *plan.Client
	Locals  []intercept.Local
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
	selected, err := selection.New(o.Forward.Services, cluster.Namespace)
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
	if i.Locals, err = o.locals(i.Target); err != nil {
		return nil, err
	}
	circumstances, err := i.Target.Look(ctx, cluster.Client, o.mode(), target.Move(o.Move))
	if err != nil {
		return nil, err
	}
	i.Events = &Events{Audience: told, Target: i.Target, Locals: i.Locals}
	if err := i.checkHTTP(); err != nil {
		return nil, err
	}
	for _, note := range circumstances.Notes {
		i.Events.Note(note.Text, note.Hint)
	}
	if note, some := i.Target.Unbrought(o.Container); some && o.Files != "" {
		i.Events.Note(note.Text, note.Hint)
	}
	return i, i.compute(ctx, circumstances)
}

// compute makes the plan, and checks that this user may carry it out. Without the
// right to grant the agent its own, the agent has to do without.
func (i *Planned) compute(ctx context.Context, circumstances *target.Circumstances) (err error) {
	options := target.Options{
		Mode: i.options.mode(), Owner: thisOwner(), Identity: rand.Text(), Version: wire.Version,
		Image: i.options.agentImage(), PullPolicy: corev1.PullIfNotPresent,
		Container: i.options.Container, Grace: i.options.Grace, MoveConnections: i.options.Move != "",
	}
	if i.plan, err = i.Target.Plan(circumstances, options); err != nil || i.options.dryRun {
		return err
	}
	lost, err := i.checkRights(ctx, target.RightsOf(i.plan))
	if err != nil {
		return err
	}
	told := make(map[string]bool)
	for _, right := range lost {
		if !told[right.Without] {
			i.Events.Note(fmt.Sprintf("without the right to %s: %s", right, right.Without),
				fmt.Sprintf("'devtun rbac %s' prints the Role that has it", i.options.feature()))
		}
		told[right.Without] = true
		if grantsRestore(right) && !options.NoRestore {
			options.NoRestore = true
			if i.plan, err = i.Target.Plan(circumstances, options); err != nil {
				return err
			}
			if _, err = i.checkRights(ctx, target.RightsOf(i.plan)); err != nil { // it is removed otherwise
				return err
			}
		}
	}
	return nil
}

// grantsRestore reports that a right is one by which the agent gets its own.
func grantsRestore(right target.Right) bool {
	return right.Resource == "serviceaccounts" || right.Resource == "roles" || right.Resource == "rolebindings"
}

// render prints the plan for --dry-run.
func (i *Planned) render(out io.Writer) error { return target.Render(out, i.plan) }

// thisOwner is who asks for the intercept, for others to see.
func thisOwner() plan.Owner {
	owner := plan.Owner{User: thisUser(), Since: time.Now().UTC().Truncate(time.Second)}
	if machine, err := os.Hostname(); err == nil {
		owner.Machine = machine
	}
	return owner
}
