package cluster

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPoll(t *testing.T) {
	calls := 0
	require.NoError(t, poll(t.Context(), func(context.Context) error {
		if calls++; calls < 3 {
			return errors.New("not yet")
		}
		return nil
	}))
	require.Equal(t, 3, calls)
}

func TestPollTellsWhatItWaitedFor(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	gaveUp, reason := errors.New("gave up"), errors.New("no answer")
	err := poll(ctx, func(context.Context) error {
		cancel(gaveUp)
		return reason
	})
	require.ErrorIs(t, err, reason)
	require.ErrorIs(t, err, gaveUp)
}
