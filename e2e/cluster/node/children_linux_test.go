package node

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// collecting is children whose ends are collected until the test's end. It takes
// every child of the test process: none of these tests may start any by itself.
func collecting(t *testing.T) *children {
	t.Helper()
	c := newChildren()
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for {
			c.collect()
			select {
			case <-ticker.C:
			case <-end:
				return
			}
		}
	}()
	t.Cleanup(func() { close(end); <-ended })
	return c
}

func TestChildStartsLogsAndEnds(t *testing.T) {
	c := collecting(t)
	log := filepath.Join(t.TempDir(), "log")
	command := Command{Name: "a", Args: []string{"sh", "-c", "echo said; echo loud >&2; exit 3"}, Log: log}
	for range 2 { // an ended one may be started again; the log goes on
		require.NoError(t, c.start(command))
		require.Eventually(t, func() bool { return !c.list()[0].Running }, 10*time.Second, time.Millisecond)
		require.Equal(t, "exit status 3", c.list()[0].Exit)
	}
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	require.Equal(t, "said\nloud\nsaid\nloud\n", string(text))
}

func TestChildIsOneOfItsName(t *testing.T) {
	c := collecting(t)
	command := Command{Name: "a", Args: []string{"sleep", "60"}, Log: os.DevNull}
	require.NoError(t, c.start(command))
	require.ErrorContains(t, c.start(command), "running already")
	c.stop("a", 0)
	require.Equal(t, "killed by signal: killed", c.list()[0].Exit)
	c.stop("a", 0)
	c.stop("never started", time.Minute)
}

func TestChildIsAskedBeforeItIsKilled(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		grace  time.Duration
		exit   string
	}{
		"it obeys": {"trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done", time.Minute, "exit status 7"},
		"it does not": {"trap '' TERM; echo ready; while :; do sleep 0.01; done", 50 * time.Millisecond,
			"killed by signal: killed"},
	} {
		t.Run(name, func(t *testing.T) {
			c := collecting(t)
			log := filepath.Join(t.TempDir(), "log")
			require.NoError(t, c.start(Command{Name: "a", Args: []string{"sh", "-c", test.script}, Log: log}))
			require.Eventually(t, func() bool {
				text, err := os.ReadFile(log)
				return err == nil && string(text) == "ready\n"
			}, 10*time.Second, time.Millisecond)
			c.stop("a", test.grace)
			require.False(t, c.list()[0].Running)
			require.Equal(t, test.exit, c.list()[0].Exit)
		})
	}
}

func TestChildCannotStart(t *testing.T) {
	c := collecting(t)
	for _, command := range []Command{
		{Name: "a", Args: []string{"no-such-program"}, Log: os.DevNull},
		{Name: "a", Args: []string{"true"}, Log: "/no/such/directory/log"},
	} {
		require.Error(t, (&service{c}).Start(command, nil))
	}
	require.ErrorContains(t, (&service{c}).Start(Command{Name: "a"}, nil), "no command line")
	require.Empty(t, c.list())
}
