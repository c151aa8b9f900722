package background

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestACommandInTheForegroundHasAPlace(t *testing.T) {
	d := Directory(filepath.Join(t.TempDir(), "devtun"))
	name := "forward." + strconv.Itoa(os.Getpid())
	place, err := d.ClaimForeground("forward")
	require.NoError(t, err)
	require.Equal(t, name, place.Name())
	require.True(t, Foreground(name))
	require.False(t, Foreground("forward"))
	running, err := d.Running()
	require.NoError(t, err)
	require.Equal(t, []string{name}, running)
	for _, suffix := range []string{lockSuffix, socketSuffix} {
		info, err := os.Stat(d.path(name, suffix))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), suffix)
	}
	info, err := os.Stat(string(d))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	require.NoError(t, place.Remove())
	require.NoDirExists(t, string(d), "nothing is left")
}

// A killed one has left its files, and another process of that number may be there: of
// another PID namespace.
func TestTheNextOneRemovesWhatAKilledOneHasLeft(t *testing.T) {
	d := newDirectory(t)
	for _, file := range []string{"forward.1.lock", "forward.1.sock", "shop.log"} {
		require.NoError(t, os.WriteFile(filepath.Join(string(d), file), nil, 0o600))
	}
	up, err := d.Claim("other")
	require.NoError(t, err)
	first, err := d.ClaimForeground("forward")
	require.NoError(t, err)
	second, err := d.ClaimForeground("forward")
	require.NoError(t, err)
	require.Equal(t, first.Name()+".2", second.Name())
	require.NoFileExists(t, d.path("forward.1", lockSuffix))
	require.NoFileExists(t, d.path("forward.1", socketSuffix))
	require.NoError(t, second.Remove())
	require.NoError(t, first.Remove())
	require.FileExists(t, d.path("shop", logSuffix), "that of an up is kept for who wants to know")
	require.True(t, d.Runs("other"))
	require.NoError(t, up.Remove())
}
