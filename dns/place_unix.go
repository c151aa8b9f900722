//go:build unix

package dns

import (
	"os"
	"path/filepath"
)

func systemHosts() string { return "/etc/hosts" }

// stateDir is where journals go: root's and a user's apart, since they write
// different hosts files.
func stateDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/devtun", nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "devtun"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".local", "state", "devtun"), nil
}
