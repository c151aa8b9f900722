package cli

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/problem"
)

// TestWhatBecameOfAnInterceptThatWasTakenAway is said to be a restore only if it was one.
func TestWhatBecameOfAnInterceptThatWasTakenAway(t *testing.T) {
	other := errors.New("another")
	require.Equal(t, errPutBack, found(errTakenAway, true, nil))
	require.Equal(t, errRestored, found(errTakenAway, false, nil))
	require.Equal(t, errTakenAway, found(errTakenAway, false, other))
	require.Equal(t, other, found(other, true, nil))
	for _, err := range []error{errPutBack, errRestored, errTakenAway} {
		told := problem.Of(fmt.Errorf("hold: %w", err))
		require.Equal(t, problem.ExitRefused, told.Code)
		require.Equal(t, "run the command again to intercept anew", told.Hint)
	}
}
