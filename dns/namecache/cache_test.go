package namecache

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

const roleVariable = "DEVTUN_NAMECACHE_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) == "" {
		goleak.VerifyTestMain(m)
		return
	}
	if err := flushRole(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// flushRole is a command that empties a cache: it succeeds, fails, or never ends.
func flushRole(args []string) error {
	switch args[0] {
	case "hang":
		time.Sleep(time.Hour) // what a daemon does that does not answer
	case "fail":
		return os.ErrPermission
	}
	return os.WriteFile(args[1], nil, 0o600)
}

// flushCommand is such a command; one that succeeds makes the file at path.
func flushCommand(t *testing.T, what, path string) []string {
	t.Helper()
	t.Setenv(roleVariable, "flush")
	self, err := os.Executable()
	require.NoError(t, err)
	return []string{self, what, path}
}

func TestFlush(t *testing.T) {
	first, second := t.TempDir()+"/1", t.TempDir()+"/2"
	c := cache{timeout: time.Minute, commands: [][]string{
		flushCommand(t, "succeed", first),
		flushCommand(t, "fail", first),
		{t.TempDir() + "/missing"},
		flushCommand(t, "succeed", second),
	}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the caller has given up, the file is written
	err := c.flush(ctx)
	require.ErrorContains(t, err, "permission denied", "what the command said")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.FileExists(t, first)
	require.FileExists(t, second, "one that fails does not keep the others from it")

	require.NoError(t, cache{}.flush(ctx))
}

func TestFlushDoesNotHang(t *testing.T) {
	path := t.TempDir() + "/never"
	c := cache{timeout: 50 * time.Millisecond, commands: [][]string{
		flushCommand(t, "hang", path),
		flushCommand(t, "succeed", path),
	}}
	require.ErrorIs(t, c.flush(t.Context()), context.DeadlineExceeded, "long before its hour is over")
	require.NoFileExists(t, path)
}
