package problem

import (
	"errors"
	"fmt"
	"strings"

	"github.com/devtun/devtun/intercept/handover"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/rollout"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/intercept/wire"
)

// intercepts makes a Problem of the errors that only intercepts have; nil of others.
func intercepts(err error) *Problem {
	var misnamed *target.NameError
	var unknown *target.UnknownError
	var refused *target.RefusedError
	var standing *plan.StandingError
	var exists *plan.ExistsError
	var foreign *plan.ForeignError
	var status *plan.StatusError
	var version *plan.VersionError
	var another *plan.UnknownProgramError
	var agent *rollout.AgentError
	var refusal *wire.Refusal
	var theirs *handover.ForeignError
	var busy *handover.BusyError
	var orphan *plan.OrphanError
	var unsafe *plan.UnsafeError
	var ledger *handover.LedgerError
	var disk *handover.DiskError
	switch {
	case errors.As(err, &misnamed):
		return &Problem{Err: err, Code: ExitUsage, Hint: "write NAME, or KIND/NAME as kubectl takes it: svc/NAME, " +
			"deploy/NAME, rollout/NAME"}
	case errors.As(err, &unknown):
		return &Problem{Err: err, Code: ExitNotFound, Hint: hintUnknown(unknown)}
	case errors.As(err, &refused):
		return &Problem{Err: err, Code: ExitRefused, Hint: refused.Hint}
	case errors.As(err, &standing):
		return &Problem{Err: err, Code: ExitRefused,
			Hint: fmt.Sprintf("if nobody needs it any more: devtun restore %s -n %s --all", standing.Name, standing.Namespace)}
	case errors.Is(err, plan.ErrOlder), errors.As(err, &another):
		return &Problem{Err: err, Code: ExitRefused,
			Hint: "end it, and start it again with this devtun: 'devtun list' shows whose it is"}
	case errors.Is(err, plan.ErrRestored), errors.Is(err, plan.ErrEnded):
		return &Problem{Err: err, Code: ExitRefused, Hint: "run the command again to intercept anew"}
	case errors.As(err, &exists):
		return &Problem{Err: err, Code: ExitRefused, Hint: "rename or delete it: devtun needs that name"}
	case errors.As(err, &foreign):
		return &Problem{Err: err, Code: ExitRefused, Hint: "try again: the intercept is then made for what stands there now"}
	case errors.As(err, &version):
		return &Problem{Err: err, Code: ExitRefused,
			Hint: "use a devtun of the version that made it, at least to restore it"}
	case errors.As(err, &agent):
		return diagnoseAgent(err, agent)
	case errors.As(err, &refusal) && refusal.Code == wire.Restored:
		return &Problem{Err: err, Code: ExitRefused, Hint: "run the command again to intercept anew"}
	case errors.As(err, &refusal):
		return &Problem{Err: err, Code: ExitRefused,
			Hint: "end the intercepts there, and start them again with this devtun ('devtun list' shows whose it is), and " +
				"name no " +
				"other's image by --agent-image"}
	case errors.As(err, &theirs):
		return &Problem{Err: err, Code: ExitMachine,
			Hint: "devtun overwrites nothing that is not its own: name another file, or move this one away"}
	case errors.As(err, &busy):
		return &Problem{Err: err, Code: ExitInUse, Hint: "name another file: each session needs its own"}
	case errors.As(err, &unsafe):
		return &Problem{Err: err, Code: ExitRefused,
			Hint: "nothing was changed; look who has written it: 'kubectl get configmaps,services -o yaml' shows it, as " +
				"plan.json and as " + plan.UndoMark}
	case errors.As(err, &orphan):
		p := orphan.Plan
		return &Problem{Err: err, Code: ExitRefused,
			Hint: fmt.Sprintf("put it back first: devtun restore %s -n %s", p.Name, p.Namespace)}
	case errors.As(err, &ledger):
		return &Problem{Err: err, Code: ExitMachine,
			Hint: "devtun notes there what it hands over, to remove it in the end: make room for it, or have XDG_STATE_HOME " +
				"name a folder that you may write to"}
	case errors.As(err, &disk):
		return &Problem{Err: err, Code: ExitMachine,
			Hint: "have --env-file, --env-json and --files name places that you may write to, in folders that are there"}
	case errors.As(err, &status):
		return diagnosePlanStatus(err, status)
	}
	return nil
}

// diagnoseAgent tells of agents that do not become ready. Their pods are gone when
// the user reads it; what the cluster's events say of them stays for a while.
func diagnoseAgent(err error, agent *rollout.AgentError) *Problem {
	if agent.Log != "" {
		err = fmt.Errorf("%w; its log ends with: %s", err, strings.ReplaceAll(strings.TrimSpace(agent.Log), "\n", " | "))
	}
	problem := &Problem{Err: err, Code: ExitRefused, Hint: agent.Hint}
	switch {
	case agent.Reason == rollout.Forbidden:
		problem.Code, problem.Hint = ExitRights, "'devtun rbac intercept' prints the Role that is needed"
	case problem.Hint != "":
	case agent.Reason == rollout.Removed:
		problem.Hint = "run the command again to intercept anew"
	case agent.Reason == rollout.Crash:
		problem.Hint = "does the image belong to this devtun? 'devtun image save' or 'devtun image push' makes it, and " +
			"--agent-image names it"
	default:
		problem.Hint = "try again; 'kubectl get events' shows what became of the agent's pods"
	}
	return problem
}

func hintUnknown(unknown *target.UnknownError) string {
	if name := Near(unknown.Name, unknown.Candidates); name != "" {
		return fmt.Sprintf("did you mean %s?", name)
	}
	if len(unknown.Candidates) == 0 {
		return fmt.Sprintf("there are none in namespace %s; other namespaces: -n", unknown.Namespace)
	}
	return "there are " + strings.Join(unknown.Candidates, ", ")
}

// diagnosePlanStatus tells of a request of a plan that the API server refused.
func diagnosePlanStatus(err error, status *plan.StatusError) *Problem {
	switch status.Code {
	case 401:
		return &Problem{Err: fmt.Errorf("the API server does not accept the credentials: %w", err), Code: ExitCredentials,
			Hint: "log in again"}
	case 403:
		if strings.Contains(status.Message, "exceeded quota") {
			return &Problem{Err: err, Code: ExitRefused, Hint: quotaHint(status.Path)}
		}
		if strings.Contains(status.Message, "being terminated") {
			return &Problem{Err: err, Code: ExitRefused, Hint: "the namespace is being deleted: use another"}
		}
		return &Problem{Err: err, Code: ExitRights, Hint: "'devtun rbac intercept restore' prints the Roles that are needed"}
	}
	return &Problem{Err: err, Code: ExitCluster,
		Hint: "try again; 'devtun intercept NAME --dry-run' prints what is sent"}
}

// quotaHint tells of a quota that a request of that path has met.
func quotaHint(path string) string {
	_, namespace, _ := strings.Cut(path, "/namespaces/")
	namespace, _, _ = strings.Cut(namespace, "/")
	return fmt.Sprintf("'kubectl describe quota -n %s' shows what is used; free some of it, or have it raised", namespace)
}
