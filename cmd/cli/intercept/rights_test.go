package intercept

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
)

func TestTheRightToThePodProxyIsAsLinkSays(t *testing.T) {
	all := target.Rights(plan.Divert)
	for link, want := range map[string]struct{ asked, needed bool }{
		"":                      {asked: true},
		forward.LinkAuto:        {asked: true},
		forward.LinkPortForward: {},
		forward.LinkProxy:       {asked: true, needed: true},
	} {
		got, asked, needed := linking(all, link), false, false
		for _, r := range got {
			if r.IsLinking() {
				require.Equal(t, "get pods/proxy", r.String())
				asked, needed = true, r.Without == ""
			}
		}
		require.Equal(t, want, struct{ asked, needed bool }{asked, needed}, link)
		require.Contains(t, got, all[0])
	}
}
