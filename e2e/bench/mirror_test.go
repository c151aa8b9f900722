package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestCopiesAreAwaited(t *testing.T) {
	defer goleak.VerifyNone(t)
	origin, err := serveLocal()
	require.NoError(t, err)
	defer origin.close()
	c := &contender{addresses: origin.addresses}
	require.NoError(t, awaitCopies(t.Context(), c, c))

	other, err := serveLocal()
	require.NoError(t, err)
	defer other.close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, awaitCopies(ctx, c, &contender{addresses: other.addresses}), "wait for copies of requests")
}

func TestStuck(t *testing.T) {
	defer goleak.VerifyNone(t)
	origin, err := serveLocal()
	require.NoError(t, err)
	defer origin.close()
	values, err := stuck(t.Context(), &contender{answer: localName, addresses: origin.addresses}, 20)
	require.NoError(t, err)
	require.Len(t, values, 2)
	require.GreaterOrEqual(t, values[1], values[0])
}
