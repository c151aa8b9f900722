package ide

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAsEditorsFind asks shells that stand for the user's.
func TestAsEditorsFind(t *testing.T) {
	folder := t.TempDir()
	there := filepath.Join(folder, "bin", "devtun")
	require.NoError(t, os.Mkdir(filepath.Dir(there), 0o755))
	require.NoError(t, os.WriteFile(there, nil, 0o755))
	self := "/opt/devtun 1/devtun"
	for name, c := range map[string]struct {
		shell   string // its text; "": there is none
		command string
		lost    bool
	}{
		"in its PATH": {`[ "$1 $2 $3" = "-l -c command -v devtun" ] && echo 'Welcome!' && echo ` + there, "devtun", false},
		"not there":   {"exit 1", self, true},
		"only here":   {`case $PATH in *` + folder + `*) echo ` + there + `;; *) exit 127;; esac`, self, true},
		"gone":        {"echo " + filepath.Join(folder, "gone", "devtun"), self, true},
		"no shell":    {"", "devtun", false},
	} {
		t.Run(name, func(t *testing.T) {
			shell := filepath.Join(t.TempDir(), "shell")
			if c.shell == "" {
				shell = ""
			} else {
				require.NoError(t, os.WriteFile(shell, []byte("#!/bin/sh\n"+c.shell+"\n"), 0o755))
			}
			t.Setenv("PATH", filepath.Dir(there)+":"+os.Getenv("PATH"))
			getenv := func(name string) string { return map[string]string{"SHELL": shell, "HOME": folder}[name] }
			command, lost := asEditorsFind(t.Context(), getenv, self)
			require.Equal(t, c.command, command)
			require.Equal(t, c.lost, lost)
		})
	}
	command, lost := asEditorsFind(t.Context(), func(string) string { return "/nowhere/shell" }, self)
	require.Equal(t, "devtun", command)
	require.False(t, lost, "a shell that is not there tells nothing")
}
