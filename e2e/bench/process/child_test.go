package process

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestChild(t *testing.T) {
	defer goleak.VerifyNone(t)
	heard := func(line string) bool { return line == "ready" }

	t.Run("is ready when it says so", func(t *testing.T) {
		// What it says later must not block it.
		c, err := Start(context.Background(), heard, "sh", "-c", "echo one; echo ready; while :; do echo more; done")
		require.NoError(t, err)
		require.Positive(t, c.Ready)
		c.Close()
		require.NotNil(t, c.cmd.ProcessState, "it has been waited for")
	})
	t.Run("ends early", func(t *testing.T) {
		_, err := Start(context.Background(), heard, "sh", "-c", "echo one; echo broken >&2; exit 3")
		require.ErrorContains(t, err, "it ended")
		require.ErrorContains(t, err, "broken")
	})
	t.Run("is given up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := Start(ctx, heard, "sh", "-c", "exec sleep 60")
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("does not exist", func(t *testing.T) {
		_, err := Start(context.Background(), heard, "./no-such-program")
		require.Error(t, err)
	})
}

func TestHeadKeepsTheFirstBytes(t *testing.T) {
	h := &head{limit: 5}
	n, err := h.Write([]byte("one"))
	require.NoError(t, err)
	require.Equal(t, 3, n)
	n, err = h.Write([]byte(strings.Repeat("x", 100)))
	require.NoError(t, err)
	require.Equal(t, 100, n, "the writer must not think that it failed")
	require.Equal(t, "onexx", h.String())
}

func TestStartWithVariables(t *testing.T) {
	defer goleak.VerifyNone(t)
	heard := func(line string) bool { return line == "yes" }
	c, err := StartWith(t.Context(), []string{"READY=yes"}, heard, "sh", "-c", "echo $READY")
	require.NoError(t, err)
	c.Close()
}
