package cluster

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStateIsKept(t *testing.T) {
	dir := t.TempDir()
	want := newState(dir)
	want.Block, want.Shape = netip.MustParsePrefix("10.200.64.0/19"), defaultShape
	want.PIDs, want.Programs = [MaxNodes]int{42, 43}, programs{Init: "i"}
	require.NoError(t, saveState(dir, want))
	got, err := loadState(dir)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.NoFileExists(t, filepath.Join(dir, stateFile+draftSuffix))
}

func TestStateOfNothing(t *testing.T) {
	for name, content := range map[string]string{
		"empty, as after a power cut": "",
		"cut short":                   `{"ID": "0102`,
		"of another program":          `{"name": "x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, stateFile), []byte(content), 0o600))
			s, err := loadState(dir)
			require.NoError(t, err)
			require.Equal(t, newState(dir), s)
		})
	}
	dir := t.TempDir()
	s, err := loadState(dir)
	require.NoError(t, err)
	require.Equal(t, newState(dir), s)
}

func TestNamesOnTheHost(t *testing.T) {
	one, other := newState("/a"), newState("/b")
	require.NotEqual(t, one.device(), other.device())
	require.NotEqual(t, one.cgroup(), other.cgroup())
	require.LessOrEqual(t, len(one.device()), 15, "Linux has no longer names of devices")
}
