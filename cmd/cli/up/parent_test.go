package up

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/background"
)

// TestWhoHasStartedASessionStays: who only joins one does not end it by going.
func TestWhoHasStartedASessionStays(t *testing.T) {
	editor, err := parentOf(os.Getpid())
	require.NoError(t, err)
	for name, c := range map[string]struct {
		first, then background.Order
		starter     string
		followed    int // how often it is to end with a process
	}{
		"an editor's, twice": {background.Order{StartedBy: "vscode"}, background.Order{StartedBy: "vscode"},
			"vscode", 0},
		"a person's, then an editor's": {background.Order{}, background.Order{StartedBy: "vscode"}, "", 0},
		"an editor's, then a person's": {background.Order{StartedBy: "vscode"}, background.Order{}, "vscode", 0},
		"an IDE's, twice":              {background.Order{Parent: editor}, background.Order{Parent: editor}, "", 2},
		"a person's, then an IDE's":    {background.Order{}, background.Order{Parent: editor}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newRecordedSession(t)
			followed := 0
			for i, order := range []background.Order{c.first, c.then} {
				require.NoError(t, s.setStarter(order, i == 0))
				select {
				case <-s.parent:
					followed++
				default:
				}
			}
			require.Equal(t, c.followed, followed)
			require.Equal(t, c.starter, s.Snapshot().StartedBy)
		})
	}
}
