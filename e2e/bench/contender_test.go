package main

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestHearDevtun(t *testing.T) {
	addresses := map[int]string{}
	for _, line := range []string{
		`warning: not JSON`,
		`{"type":"service","service":"other","address":"127.1.1.1","ports":[{"local":80,"port":80}]}`,
		`{"type":"service","service":"testserver","address":"127.2.3.4","ports":[{"local":8080,"port":8080},{"local":7001,"port":7000}]}`,
	} {
		require.False(t, hearDevtun(line, "testserver", addresses), line)
	}
	require.True(t, hearDevtun(`{"type":"ready","serviceCount":2,"portCount":3}`, "testserver", addresses))
	require.Equal(t, map[int]string{8080: "127.2.3.4:8080", 7000: "127.2.3.4:7001"}, addresses)
}

func TestHearKubectl(t *testing.T) {
	addresses := map[int]string{}
	require.True(t, hearKubectl("Forwarding from 127.0.0.1:40123 -> 8080", addresses))
	require.False(t, hearKubectl("Handling connection for 40123", addresses))
	require.Equal(t, map[int]string{8080: "127.0.0.1:40123"}, addresses)
}

func TestChild(t *testing.T) {
	defer goleak.VerifyNone(t)
	heard := func(line string) bool { return line == "ready" }

	t.Run("is ready when it says so", func(t *testing.T) {
		// What it says later must not block it.
		c, err := startChild(context.Background(), heard, "sh", "-c", "echo one; echo ready; while :; do echo more; done")
		require.NoError(t, err)
		require.Positive(t, c.ready)
		c.close()
		require.NotNil(t, c.cmd.ProcessState, "it has been waited for")
	})
	t.Run("ends early", func(t *testing.T) {
		_, err := startChild(context.Background(), heard, "sh", "-c", "echo one; echo broken >&2; exit 3")
		require.ErrorContains(t, err, "it ended")
		require.ErrorContains(t, err, "broken")
	})
	t.Run("is given up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := startChild(ctx, heard, "sh", "-c", "exec sleep 60")
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("does not exist", func(t *testing.T) {
		_, err := startChild(context.Background(), heard, "./no-such-program")
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
