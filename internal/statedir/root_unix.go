//go:build unix

package statedir

import "os"

// Root is root's directory.
func Root() string { return "/var/lib/devtun" }

// Own is this process's directory: root's and a user's are apart, since they may
// write different files.
func Own() (string, error) {
	if os.Geteuid() == 0 {
		return Root(), nil
	}
	return User()
}
