package debian

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestForbidServices(t *testing.T) {
	const theirs = "#!/bin/sh\nexit 0\n"
	for name, test := range map[string]struct{ before, during, after string }{
		"none there":           {"", string(policy), ""},
		"the owner's":          {theirs, theirs, theirs},
		"ours, left by a kill": {string(policy), string(policy), ""},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "policy-rc.d")
			if test.before != "" {
				require.NoError(t, os.WriteFile(file, []byte(test.before), 0o755))
			}
			allow, err := forbidServices(file)
			require.NoError(t, err)
			require.Equal(t, test.during, content(t, file))
			allow()
			require.Equal(t, test.after, content(t, file))
		})
	}
}

// content is that of a file, or nothing if there is none.
func content(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	return string(data)
}
