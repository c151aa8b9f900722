//go:build soak && linux

package command

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSoakChildrenEnd has the polite end and the stubborn killed in the grace that
// users have, again and again.
func TestSoakChildrenEnd(t *testing.T) {
	for range 10 {
		t.Chdir(t.TempDir())
		c := Command{Args: []string{"sh", "-c", stubborn + daemons + "exit 4"}}
		code, err := c.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, 4, code)
		require.False(t, exists(pidIn(t, "stubborn")))
		requireDaemonsGone(t, ".")
	}
}
