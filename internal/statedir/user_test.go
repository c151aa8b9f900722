package statedir

import (
	"os/user"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUser(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "")
	home := t.TempDir()
	for _, variable := range []string{"HOME", "USERPROFILE"} { // the latter is Windows'
		t.Setenv(variable, home)
	}
	dir, err := User()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(home, ".local", "state", "devtun"), dir)

	t.Setenv("XDG_STATE_HOME", "relative")
	again, err := User()
	require.NoError(t, err)
	require.Equal(t, dir, again)
	t.Setenv("XDG_STATE_HOME", home)
	dir, err = User()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(home, "devtun"), dir)
}

// Services of systemd and jobs of cron have no $HOME.
func TestUserWithoutHome(t *testing.T) {
	self, err := user.Current()
	require.NoError(t, err)
	for _, variable := range []string{"XDG_STATE_HOME", "HOME", "USERPROFILE"} {
		t.Setenv(variable, "")
	}
	dir, err := User()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(self.HomeDir, ".local", "state", "devtun"), dir)
}
