package agents

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/image"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/program"
	"github.com/devtun/devtun/intercept/rollout"
	"github.com/devtun/devtun/intercept/target"
)

// SetProgram says in options where the agent's program comes from: an image, or else the
// program itself, for an architecture, which is returned then.
func SetProgram(ctx context.Context, options *target.Options, image, arch string) (*program.Program, error) {
	if image != "" {
		options.Image, options.PullPolicy = image, corev1.PullIfNotPresent
		return nil, nil
	}
	p, err := Program(ctx, arch)
	if err != nil {
		return nil, err
	}
	for _, part := range p.Parts() {
		options.Program = append(options.Program, part.Name)
	}
	options.Architecture = arch
	return p, nil
}

// Program is this devtun's agent for an architecture.
func Program(ctx context.Context, arch string) (*program.Program, error) {
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
		p, err := Program(ctx, platform.Architecture)
		if err != nil {
			return nil, err
		}
		if data, ok := p.Part(name); ok {
			return data, nil
		}
	}
	return nil, &plan.UnknownProgramError{Part: name}
}

// HowItComes says where the agent's program of a plan is from.
func HowItComes(p *plan.Plan) string {
	from := intercept.ImageOf(p)
	n := len(p.Program)
	switch {
	case n > 0 && p.Mode == plan.Relay:
		return fmt.Sprintf("its program from %d ConfigMaps, in image %s", n, from)
	case n > 0:
		return fmt.Sprintf("its program from %d ConfigMaps, in the workload's image %s", n, from)
	}
	return "image " + from
}

// IsOtherArchitecture reports that agents could not run because their program is made for
// another architecture, and that nothing of them is left.
func IsOtherArchitecture(err error) bool {
	var agent *rollout.AgentError
	var unrestored *problem.Problem
	return errors.As(err, &agent) && agent.Architecture && !errors.As(err, &unrestored)
}
