package intercept

import (
	"context"
	"slices"

	"github.com/devtun/devtun/cmd/cli/agents"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/dns/helper"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
)

// Run is hold, for another architecture as well if the agents turn out not to be made for
// what they are to run on, and that was a guess.
func (i *Planned) Run(
	ctx context.Context, tracker *status.Tracker, streams output.Streams, start helper.Start, ready func(),
) error {
	for {
		err := i.hold(ctx, tracker, streams, start, ready)
		if !i.mayTryAnother(err) {
			return err
		}
		i.progress("agents for %s cannot run there (%v): trying another architecture", last(i.tried), err)
		if err := i.computeAgain(ctx); err != nil {
			return err
		}
	}
}

// mayTryAnother reports that an attempt has failed in a way that another architecture may
// cure, and has left nothing behind.
func (i *Planned) mayTryAnother(err error) bool {
	return i.guessed && agents.IsOtherArchitecture(err)
}

// chooseProgram says in options where the agent's program comes from, for the first of the
// architectures that has not been tried.
func (i *Planned) chooseProgram(ctx context.Context, c *target.Circumstances, options *target.Options) error {
	if named := i.options.agentImage(); named != "" {
		_, err := agents.SetProgram(ctx, options, named, "")
		return err
	}
	left := slices.DeleteFunc(slices.Clone(c.Architectures()),
		func(arch string) bool { return slices.Contains(i.tried, arch) })
	if len(left) == 0 { // somebody has changed something meanwhile
		left = c.Architectures()
	}
	var err error
	if i.program, err = agents.SetProgram(ctx, options, "", left[0]); err != nil {
		return err
	}
	i.tried, i.guessed = append(i.tried, left[0]), len(left) > 1
	return nil
}

// part is agents.ProgramPart, most likely of the program that the plan was made with.
func (i *Planned) part(ctx context.Context, name string) (map[string][]byte, error) {
	if i.program != nil {
		if data, ok := i.program.Part(name); ok {
			return data, nil
		}
	}
	return agents.ProgramPart(ctx, name)
}

// newExecutor has the agent's program at hand.
func (i *Planned) newExecutor(p *plan.Plan, c claim.Claim) *plan.Executor {
	executor := plan.NewExecutor(i.client, p, c)
	executor.Program = i.part
	return executor
}

func last(all []string) string { return all[len(all)-1] }
