package relay

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/devtun/devtun/cmd/cli/agents"
	"github.com/devtun/devtun/cmd/cli/image"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/intercept/wire"
)

// missingRights says which rights are missing that a relay cannot do without, and notes what it
// has to do without.
func (a *attempt) missingRights(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, kube.Timeout)
	defer cancel()
	missing, err := agents.MissingRights(ctx, a.of.config.Cluster, a.namespace, target.RelayRights())
	if err == nil && slices.ContainsFunc(missing, func(r target.Right) bool { return r.Without == "" }) {
		err = agents.RightsProblem(feature, a.namespace, missing)
	}
	a.noPolicies = slices.ContainsFunc(missing, func(r target.Right) bool {
		return r.Resource == "networkpolicies" && r.Verb == "create"
	})
	return err
}

// compute makes the plan of a relay, for the first of the architectures that has not been tried.
func (a *attempt) compute(ctx context.Context) (*plan.Plan, error) {
	ctx, cancel := context.WithTimeout(ctx, kube.Timeout)
	defer cancel()
	client := a.of.config.Cluster.Client
	circumstances, err := target.LookForRelay(ctx, client, a.namespace)
	if err != nil {
		return nil, err
	}
	like, err := target.FindLike(ctx, client, a.namespace)
	if err != nil {
		return nil, err
	}
	options := target.Options{Owner: agents.ThisOwner(), Identity: rand.Text(), Version: wire.Version}
	arch := ""
	if a.of.config.Image == "" {
		if like == nil {
			return nil, &problem.Problem{
				Err:  fmt.Errorf("no pod runs in namespace %s in whose image a relay could run", a.namespace),
				Code: problem.ExitRefused, Hint: "name one that has devtun's agent, as 'devtun image push' makes it: $" +
					image.Variable}
		}
		arch = a.nextArchitecture(target.ArchitecturesOf(ctx, client, like))
	}
	if _, err := agents.SetProgram(ctx, &options, a.of.config.Image, arch); err != nil {
		return nil, err
	}
	return target.PlanRelay(target.Relay{Namespace: a.namespace, Like: like, Circumstances: circumstances,
		NoPolicies: a.noPolicies}, options)
}

// nextArchitecture is the first of all that has not been tried.
func (a *attempt) nextArchitecture(all []string) string {
	left := slices.DeleteFunc(slices.Clone(all), func(arch string) bool { return slices.Contains(a.tried, arch) })
	if len(left) == 0 { // somebody has changed something meanwhile
		left = all
	}
	a.tried, a.guessed = append(a.tried, left[0]), len(left) > 1
	return left[0]
}
