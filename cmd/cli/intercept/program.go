package intercept

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/dns/helper"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/image"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/program"
	"github.com/devtun/devtun/intercept/rollout"
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
	return i.guessed && IsOtherArchitecture(err)
}

// IsOtherArchitecture reports that agents could not run because their program is made for
// another architecture, and that nothing of them is left.
func IsOtherArchitecture(err error) bool {
	var agent *rollout.AgentError
	var unrestored *problem.Problem
	return errors.As(err, &agent) && agent.Architecture && !errors.As(err, &unrestored)
}

// chooseProgram says in options where the agent's program comes from, for the first of the
// architectures that has not been tried.
func (i *Planned) chooseProgram(ctx context.Context, c *target.Circumstances, options *target.Options) error {
	if named := i.options.agentImage(); named != "" {
		options.Image, options.PullPolicy = named, corev1.PullIfNotPresent
		return nil
	}
	left := slices.DeleteFunc(slices.Clone(c.Architectures()),
		func(arch string) bool { return slices.Contains(i.tried, arch) })
	if len(left) == 0 { // somebody has changed something meanwhile
		left = c.Architectures()
	}
	var err error
	if i.program, err = AgentProgram(ctx, left[0]); err != nil {
		return err
	}
	for _, part := range i.program.Parts() {
		options.Program = append(options.Program, part.Name)
	}
	options.Architecture = left[0]
	i.tried, i.guessed = append(i.tried, left[0]), len(left) > 1
	return nil
}

// AgentProgram is this devtun's agent for an architecture.
func AgentProgram(ctx context.Context, arch string) (*program.Program, error) {
	packed, err := image.Program(ctx, arch)
	if errors.Is(err, image.ErrNoAgent) {
		return nil, &problem.Problem{Err: err, Code: problem.ExitFailure,
			Hint: "take a released devtun, or build one with the agent in it: 'make build' in devtun's repository"}
	}
	if err != nil {
		return nil, err
	}
	return program.New(arch, packed)
}

// ProgramPart is the content of one of the ConfigMaps in which this devtun's agent comes, for
// whatever architecture.
func ProgramPart(ctx context.Context, name string) (map[string][]byte, error) {
	for _, platform := range image.Platforms() {
		if !program.IsPartOf(name, platform.Architecture) {
			continue
		}
		p, err := AgentProgram(ctx, platform.Architecture)
		if err != nil {
			return nil, err
		}
		if data, ok := p.Part(name); ok {
			return data, nil
		}
	}
	return nil, &plan.UnknownProgramError{Part: name}
}

// part is ProgramPart, most likely of the program that the plan was made with.
func (i *Planned) part(ctx context.Context, name string) (map[string][]byte, error) {
	if i.program != nil {
		if data, ok := i.program.Part(name); ok {
			return data, nil
		}
	}
	return ProgramPart(ctx, name)
}

// newExecutor has the agent's program at hand.
func (i *Planned) newExecutor(p *plan.Plan, c claim.Claim) *plan.Executor {
	executor := plan.NewExecutor(i.client, p, c)
	executor.Program = i.part
	return executor
}

// HowItComes says where the agent's program of a plan is from.
func HowItComes(p *plan.Plan) string {
	from := intercept.ImageOf(p)
	if n := len(p.Program); n > 0 {
		return fmt.Sprintf("its program from %d ConfigMaps, in the workload's image %s", n, from)
	}
	return "image " + from
}

// keepProgram has the agent's program made again that somebody has deleted: agents that
// start anew need it.
func (h *hold) keepProgram(ctx context.Context) {
	var made []plan.Object
	err := within(ctx, swapTimeout, func(ctx context.Context) (err error) {
		made, err = h.executor.KeepProgram(ctx)
		return err
	})
	for _, o := range made {
		h.Events.Warn(false, "somebody else has deleted %s: devtun has recreated it", o)
	}
	if err != nil && ctx.Err() == nil && lostBy(err) == nil { // which keepPlan finds
		h.Events.Warn(false, "an agent that starts anew may not find its program: %v", err)
	}
}

// keepProgramEvery is how often that is looked at.
func (h *hold) keepProgramEvery() time.Duration { return plan.TouchEvery(h.options.grace()) }

func last(all []string) string { return all[len(all)-1] }
