package loopback

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/internal/proc"
	"github.com/gofrs/flock"
)

// slowLoopback is a loopback interface of files, which are added by a program
// that waits until somebody writes to gate.
type slowLoopback struct{ dir, gate string }

func (s slowLoopback) present(addr netip.Addr) (bool, error) {
	_, err := os.Stat(filepath.Join(s.dir, addr.String()))
	return err == nil, nil
}

func (s slowLoopback) answers(netip.Addr) bool { return false }

func (s slowLoopback) add(ctx context.Context, lock *os.File, addr netip.Addr) error {
	return runHolding(ctx, lock, "/bin/sh", "-c", `read word <"$1" && : >"$2"`,
		"ifconfig", s.gate, filepath.Join(s.dir, addr.String()))
}

func (s slowLoopback) remove(_ context.Context, _ *os.File, addr netip.Addr) error {
	return os.Remove(filepath.Join(s.dir, addr.String()))
}

func (s slowLoopback) connected(netip.Addr) (bool, error) { return false, nil }

func (s slowLoopback) route(context.Context, netip.Addr) (Route, error) { return Route{}, nil }

// slowAliases are those of this process, in dir.
func slowAliases(dir string) (*Aliases, error) {
	a, err := NewAliases()
	if err != nil {
		return nil, err
	}
	a.owner, err = proc.Self()
	a.alive = proc.ID.Alive
	a.dir = filepath.Join(dir, "aliases")
	a.lo = slowLoopback{dir: dir, gate: filepath.Join(dir, "gate")}
	return a, err
}

func init() { roles["alias"] = aliasRole }

// aliasRole adds an alias.
func aliasRole(args []string) error {
	a, err := slowAliases(args[0])
	if err != nil {
		return err
	}
	return a.Add(context.Background(), ourAlias)
}

// TestAliasAddedAfterTheKill kills a session while its ifconfig runs: whoever
// cleans up waits for that, and then finds the alias.
func TestAliasAddedAfterTheKill(t *testing.T) {
	dir := t.TempDir()
	a, err := slowAliases(dir)
	require.NoError(t, err)
	gate := a.lo.(slowLoopback).gate
	require.NoError(t, syscall.Mkfifo(gate, 0o600))
	child := exec.Command("/proc/self/exe", dir)
	child.Env = append(os.Environ(), roleVariable+"=alias")
	require.NoError(t, child.Start())
	var program *os.File // opens as soon as the program waits at the gate
	require.Eventually(t, func() bool {
		program, err = os.OpenFile(gate, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		return err == nil
	}, 10*time.Second, time.Millisecond)
	defer program.Close()
	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())

	locked, err := flock.New(a.dir, flock.SetFlag(os.O_RDONLY)).TryLock()
	require.NoError(t, err)
	require.False(t, locked)
	_, err = program.WriteString("go\n")
	require.NoError(t, err)

	removed, err := a.Clean(t.Context())
	require.NoError(t, err)
	require.Equal(t, []netip.Addr{ourAlias}, removed)
	require.NoFileExists(t, filepath.Join(dir, ourAlias.String()))
	require.NoFileExists(t, a.record(ourAlias))
}
