package statedir

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
)

// User is the directory for what devtun notes on behalf of this user. It need not be
// there yet.
func User() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "devtun"), nil
	}
	home, err := homeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".local", "state", "devtun"), nil
}

// homeDir is the user's home. Services of systemd and jobs of cron are started
// without $HOME; then it is what the system has noted for the user.
func homeDir() (string, error) {
	home, err := os.UserHomeDir()
	if err == nil {
		return home, nil
	}
	self, lookup := user.Current()
	if lookup == nil && !filepath.IsAbs(self.HomeDir) {
		lookup = errors.New("the user has none")
	}
	if lookup != nil {
		return "", fmt.Errorf("find home directory: %w, and %w", err, lookup)
	}
	return self.HomeDir, nil
}
