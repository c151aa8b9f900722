//go:build unix

package dns

import "os"

// rootState is where root's journals are.
func rootState() string { return "/var/lib/devtun" }

func systemHosts() string { return "/etc/hosts" }

// stateDir is where journals go: root's and a user's apart, since they write
// different hosts files.
func stateDir() (string, error) {
	if os.Geteuid() == 0 {
		return rootState(), nil
	}
	return UserState()
}
