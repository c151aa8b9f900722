package intercept

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/plan"
)

// TestWhatBecameOfAnInterceptThatWasTakenAway is said to be a restore only if it was one.
func TestWhatBecameOfAnInterceptThatWasTakenAway(t *testing.T) {
	other := errors.New("another")
	require.Equal(t, errPutBack, explain(errTakenAway, true, nil))
	require.Equal(t, errRestored, explain(errTakenAway, false, nil))
	require.Equal(t, errTakenAway, explain(errTakenAway, false, other))
	require.Equal(t, other, explain(other, true, nil))
	for _, err := range []error{plan.ErrNone, plan.ErrRestored} {
		require.Equal(t, errTakenAway, lostBy(err))
	}
	require.Equal(t, errEnded, lostBy(plan.ErrEnded))
	require.NoError(t, lostBy(other))
	require.NoError(t, lostBy(nil))
	for _, err := range []error{errPutBack, errRestored, errTakenAway, errEnded} {
		told := problem.Of(fmt.Errorf("hold: %w", err))
		require.Equal(t, problem.ExitRefused, told.Code)
		require.Equal(t, "run the command again to intercept anew", told.Hint)
	}
}
