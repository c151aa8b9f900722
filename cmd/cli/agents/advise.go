package agents

import (
	"errors"

	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/rollout"
)

// Advise says what to do about an error of a feature of devtun rbac's, where something else
// would be said to who intercepts.
func Advise(feature string, err error) error {
	var said *problem.Problem
	if errors.As(err, &said) {
		return err
	}
	var agent *rollout.AgentError
	var status *plan.StatusError
	about := problem.Of(err)
	switch {
	case about.Code == problem.ExitRights:
		about.Hint = "'devtun rbac " + feature + "' prints the Role that is needed"
	case errors.As(err, &agent) && agent.Reason == rollout.Removed:
		about.Hint = "run the command again"
	case errors.As(err, &status) && about.Code == problem.ExitCluster:
		about.Hint = "try again"
	default:
		return err
	}
	return about
}
