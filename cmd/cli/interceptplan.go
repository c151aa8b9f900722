package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/user"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/intercept/wire"
)

// intercepting is an intercept from its plan to its end.
type intercepting struct {
	options *interceptOptions
	events  *interceptEvents
	cluster *kube.Cluster
	found   *target.Target
	plan    *plan.Plan
	client  *plan.Client
	locals  []intercept.Local
	stands  func() // is called when the traffic comes
	ends    func() // unless nil, before it is sent back
}

// plan finds what is to be intercepted, and computes what that takes. It changes
// nothing.
func (o *interceptOptions) plan(ctx context.Context, told audience) (*intercepting, error) {
	cluster, err := o.forward.Kube.Connect()
	if err != nil {
		return nil, err
	}
	return o.planOn(ctx, cluster, told)
}

// planOn is plan for a cluster that is connected.
func (o *interceptOptions) planOn(
	ctx context.Context, cluster *kube.Cluster, told audience,
) (*intercepting, error) {
	if err := o.findHost(ctx); err != nil {
		return nil, err
	}
	selected, err := selection.New(o.forward.Services, cluster.Namespace)
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
	i := &intercepting{options: o, cluster: cluster}
	if i.client, err = cluster.PlanClient(); err != nil {
		return nil, err
	}
	if i.found, err = target.Resolve(ctx, cluster.Client, selected.Namespace, o.name); err != nil {
		return nil, cluster.Elsewhere(ctx, err)
	}
	if i.locals, err = o.locals(i.found); err != nil {
		return nil, err
	}
	circumstances, err := i.found.Look(ctx, cluster.Client, o.mode(), target.Move(o.move))
	if err != nil {
		return nil, err
	}
	i.events = &interceptEvents{audience: told, target: i.found, locals: i.locals}
	for _, note := range circumstances.Notes {
		i.events.note(note.Text, note.Hint)
	}
	if note, some := i.found.Unbrought(o.container); some && o.files != "" {
		i.events.note(note.Text, note.Hint)
	}
	return i, i.compute(ctx, circumstances)
}

// compute makes the plan, and checks that this user may carry it out. Without the
// right to grant the agent its own, the agent has to do without.
func (i *intercepting) compute(ctx context.Context, circumstances *target.Circumstances) (err error) {
	options := target.Options{
		Mode: i.options.mode(), Owner: thisOwner(), Identity: rand.Text(), Version: wire.Version,
		Image: i.options.agentImage(), PullPolicy: corev1.PullIfNotPresent,
		Container: i.options.container, Grace: i.options.grace, MoveConnections: i.options.move != "",
	}
	if i.plan, err = i.found.Plan(circumstances, options); err != nil || i.options.dryRun {
		return err
	}
	lost, err := i.checkRights(ctx, target.RightsOf(i.plan))
	if err != nil {
		return err
	}
	told := make(map[string]bool)
	for _, right := range lost {
		if !told[right.Without] {
			i.events.note(fmt.Sprintf("without the right to %s: %s", right, right.Without), fmt.Sprintf("'devtun rbac %s' prints the Role that has it", i.options.feature()))
		}
		told[right.Without] = true
		if grantsRestore(right) && !options.NoRestore {
			options.NoRestore = true
			if i.plan, err = i.found.Plan(circumstances, options); err != nil {
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
func (i *intercepting) render(out io.Writer) error { return target.Render(out, i.plan) }

// thisOwner is who asks for the intercept, for others to see.
func thisOwner() plan.Owner {
	owner := plan.Owner{Since: time.Now().UTC().Truncate(time.Second)}
	if who, err := user.Current(); err == nil {
		owner.User = who.Username
	}
	if machine, err := os.Hostname(); err == nil {
		owner.Machine = machine
	}
	return owner
}
