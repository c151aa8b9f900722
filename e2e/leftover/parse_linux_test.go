package leftover

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseStat(t *testing.T) {
	const rest = " 0 -1 4194304 99 0 0 0 0 0 0 0 20 0 1 0 47386 3133440"
	p, flags, name, ok := parseStat("24832 (a (b) c) S 24799 24800 10360" + rest)
	require.True(t, ok)
	require.Equal(t, Process{Parent: 24799, Group: 24800, Start: 47386}, p)
	require.Equal(t, "a (b) c", name)
	require.Zero(t, flags&kernelThread)
	p, _, _, ok = parseStat("2 (x) Z 1 2 3" + rest)
	require.True(t, ok)
	require.True(t, p.Zombie)
	for _, broken := range []string{"", "1 (x", "1 )x(", "1 (x) S 1", "1 (x) S one 2 3" + rest} {
		_, _, _, ok := parseStat(broken)
		require.False(t, ok, broken)
	}
}

func TestParseMount(t *testing.T) {
	for line, want := range map[string]mount{
		"25 24 0:23 / /dev/shm rw,relatime - tmpfs tmpfs rw":                          {"/dev/shm", "tmpfs", "/"},
		"36 35 98:0 /a\\040b /mnt\\0112\\ rw shared:1 master:2 - ext3 /dev/root rw\n": {"/mnt\t2\\", "ext3", "/a b"},
	} {
		m, ok := parseMount(line)
		require.True(t, ok)
		require.Equal(t, want, m)
	}
	for _, broken := range []string{"", "25 24 0:23 / - tmpfs", "25 24 0:23 / /x rw"} {
		_, ok := parseMount(broken)
		require.False(t, ok, broken)
	}
}
