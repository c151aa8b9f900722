package cluster

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckDirectory(t *testing.T) {
	for name, test := range map[string]struct {
		entries []string
		refused bool
	}{
		"empty":                         {},
		"a cluster":                     {entries: []string{stateFile, "kubeconfig", "var"}},
		"a cluster and something else":  {entries: []string{stateFile, "notes.txt"}},
		"a cluster that was just begun": {entries: []string{stateFile + draftSuffix}},
		"something else":                {entries: []string{"notes.txt"}, refused: true},
		"names like a cluster's":        {entries: []string{"bin", "etc", "var"}, refused: true},
		"a draft and something else":    {entries: []string{stateFile + draftSuffix, "notes.txt"}, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, entry := range test.entries {
				require.NoError(t, os.WriteFile(filepath.Join(dir, entry), nil, 0o600))
			}
			err := checkDirectory(dir)
			if test.refused {
				require.ErrorContains(t, err, "hint:")
			} else {
				require.NoError(t, err)
			}
		})
	}
}
