package problem

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/handover"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/rollout"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/intercept/wire"
)

// Whatever can go wrong with an intercept comes with a hint.
func TestDiagnoseIntercepts(t *testing.T) {
	agent := func(reason rollout.Reason, hint string) error {
		return &rollout.AgentError{Reason: reason, Message: "it says so", Hint: hint}
	}
	status := func(code int, message string) error {
		return &plan.StatusError{Method: "POST", Path: "/api/v1/namespaces/demo/configmaps", Code: code, Message: message}
	}
	owner := plan.Owner{User: "ann", Machine: "laptop"}
	standing := plan.Held{Plan: &plan.Plan{Name: "web", Namespace: "demo", Owner: owner}}
	for _, c := range []struct {
		about string
		err   error
		code  ExitCode
		hint  string // its beginning
	}{
		{"no name", &target.NameError{Given: "pod/x"}, ExitUsage, "write NAME, or KIND/NAME"},
		{"unknown, a near one", &target.UnknownError{Name: "frnot", Candidates: []string{"back", "front"}}, ExitNotFound,
			"did you mean front?"},
		{"unknown, others", &target.UnknownError{Name: "another", Candidates: []string{"back", "front"}}, ExitNotFound,
			"there are back, front"},
		{"unknown, nothing", &target.UnknownError{Name: "x", Namespace: "demo"}, ExitNotFound,
			"there are none in namespace demo"},
		{"refused", &target.RefusedError{Text: "no", Hint: "do this"}, ExitRefused, "do this"},
		{"standing", &plan.StandingError{Held: standing}, ExitRefused,
			"if nobody needs it any more: devtun restore web -n demo --all"},
		{"another mode", &plan.ModeError{Standing: &plan.StandingError{Held: standing}}, ExitRefused,
			"if nobody needs it any more: devtun restore web -n demo --all"},
		{"an older one", fmt.Errorf("join: %w", plan.ErrOlder), ExitRefused, "end it, and start it again"},
		{"ended", plan.ErrEnded, ExitRefused, "run the command again to intercept anew"},
		{"restored meanwhile", plan.ErrRestored, ExitRefused, "run the command again to intercept anew"},
		{"name taken", &plan.ExistsError{Object: plan.Object{Kind: "Service", Name: "x"}}, ExitRefused,
			"rename or delete it"},
		{"changed meanwhile", &plan.ForeignError{Conflicts: []plan.Conflict{{}}}, ExitRefused, "try again"},
		{"another version's", &plan.VersionError{Found: 2}, ExitRefused, "use a devtun of the version that made it"},
		{"agent, with a hint", agent(rollout.ImagePull, "push it"), ExitRefused, "push it"},
		{"agent not admitted", agent(rollout.Admission, "admit it"), ExitRefused, "admit it"},
		{"agent crashes", agent(rollout.Crash, ""), ExitRefused, "does the image belong to this devtun?"},
		{"agent evicted", agent(rollout.Failed, ""), ExitRefused, "try again; 'kubectl get events'"},
		{"agent late", agent(rollout.TimedOut, ""), ExitRefused, "try again; 'kubectl get events'"},
		{"agent deleted", agent(rollout.Removed, ""), ExitRefused, "run the command again"},
		{"agent not to be reached", agent(rollout.Forbidden, ""), ExitRights, "'devtun rbac intercept'"},
		{"refused by the agent", &wire.Refusal{Code: wire.WrongVersion, Text: "no"}, ExitRefused,
			"end the intercepts there, and start them again"},
		{"restored by the agent", &wire.Refusal{Code: wire.Restored, Text: "no"}, ExitRefused, "run the command again"},
		{"a file of somebody's", &handover.ForeignError{}, ExitMachine, "devtun overwrites nothing"},
		{"credentials", status(401, "no"), ExitCredentials, "log in again"},
		{"quota", status(403, "exceeded quota: none"), ExitRefused, "'kubectl describe quota -n demo' shows"},
		{"namespace going", status(403, "because it is being terminated"), ExitRefused, "the namespace is being deleted"},
		{"rights", status(403, "ann cannot create"), ExitRights, "'devtun rbac intercept restore' prints"},
		{"not valid", status(422, "it is not valid"), ExitCluster, "try again; 'devtun intercept NAME --dry-run'"},
	} {
		t.Run(c.about, func(t *testing.T) {
			for _, err := range []error{c.err, fmt.Errorf("swap: %w", c.err), errors.Join(c.err, errors.New("also"))} {
				problem := Of(err)
				require.Equal(t, c.code, problem.Code)
				require.NotEmpty(t, c.hint)
				require.Truef(t, len(problem.Hint) >= len(c.hint) && problem.Hint[:len(c.hint)] == c.hint, "hint is %q",
					problem.Hint)
				require.Contains(t, problem.Error(), c.err.Error(), "the cause is never lost")
			}
		})
	}
}

func TestACrashedAgentsLastWords(t *testing.T) {
	problem := Of(&rollout.AgentError{Reason: rollout.Crash, Message: "it ended with exit code 1", Log: "one\ntwo\n"})
	require.Equal(t, "the agent crashes: it ended with exit code 1; its log ends with: one | two", problem.Error())
}
