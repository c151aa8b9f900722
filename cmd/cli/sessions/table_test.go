package sessions

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/status"
)

// TestStatusSaysHowLinksGo, and why not the shorter way.
func TestStatusSaysHowLinksGo(t *testing.T) {
	var out strings.Builder
	writeStatus(&out, status.Snapshot{Intercepts: []status.Intercept{{
		Workload: "deployment/web", State: status.Standing, Mode: "divert", Agents: 2, Links: []status.Link{
			{Pod: "agent-b", Way: "proxy"}, {Pod: "agent-a", Way: "portforward", WhyNot: "no answer within 5s"},
		},
	}}})
	require.Regexp(t, `(?m)^deployment/web +standing +divert +2 +portforward,proxy +- `, out.String())
	require.Contains(t, out.String(),
		"deployment/web: the link to agent-a goes through a port-forward (no answer within 5s)\n")
	require.NotContains(t, out.String(), "agent-b")
}
