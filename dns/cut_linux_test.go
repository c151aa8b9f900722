package dns

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// fullFile is a hosts file with the blocks of two dead sessions and of a live
// one between them. The first dead one, when it is not yet, is the victim.
func fullFile(t *testing.T, foreign string) (victim, finder *Hosts) {
	t.Helper()
	path := filepath.Join(memoryDir(t), "hosts")
	require.NoError(t, os.WriteFile(path, []byte(foreign), 0o644))
	var sessions [3]*Hosts
	for i := range sessions {
		h := newTestHosts(t, path)
		h.session, h.owner.PID = fmt.Sprintf("0000000%d", i), h.owner.PID+i // other processes
		h.alive = func(Owner) bool { return true }
		_, err := h.Set(t.Context(), someEntries(1+i))
		require.NoError(t, err)
		sessions[i] = h
	}
	victim, finder = sessions[2], newTestHosts(t, path)
	finder.owner.PID = victim.owner.PID + 1
	live := sessions[1].owner
	victim.alive = func(o Owner) bool { return o == live || o == victim.owner }
	finder.alive = func(o Owner) bool { return o == live || o == finder.owner }
	return victim, finder
}

// TestKilledOnAFullDisk is TestKilledAtEveryOperation where no new file has
// space: what is dead or done goes all the same.
func TestKilledOnAFullDisk(t *testing.T) { requireCutSurvivesKills(t, 16) }

// requireCutSurvivesKills is requireSurvivesKills there.
func requireCutSurvivesKills(t *testing.T, stride int) {
	t.Helper()
	const late = "\n10.0.0.9 late\n"
	for about, foreign := range map[string]string{
		"short": crashForeign,
		"long":  strings.Repeat("10.0.0.1 db # by hand\n", 30),
		"none":  "",
	} {
		t.Run(about, func(t *testing.T) {
			first, _ := fullFile(t, foreign)
			operations := killAt(first, syscall.ENOSPC, 0)
			_, err := first.Remove(t.Context())
			require.NoError(t, err)
			require.Greater(t, *operations, 20)
			require.Equal(t, foreign, foreignAt(t, first.path))
			want := contentAt(t, first.path)
			ours, _ := split([]byte(want))
			require.Len(t, ours, linesOf(2), "the live session's")
			requireNothingBeside(t, first.path)

			for k := 1; k <= *operations; k++ {
				for j := 1 + k%stride; ; j += stride {
					h, finder := fullFile(t, foreign)
					killAt(h, syscall.ENOSPC, k)
					_, err := h.Remove(t.Context())
					require.ErrorIs(t, err, errKilled)
					appendTo(t, h.path, late)

					killAt(finder, syscall.ENOSPC, j)
					_, err = finder.Clean(t.Context())
					killAt(finder, syscall.ENOSPC, 0)
					_, again := finder.Clean(t.Context())
					require.NoError(t, again)
					require.Equal(t, want+late, contentAt(t, h.path), "killed at %d, then at %d", k, j)
					requireNothingBeside(t, h.path)
					if err == nil {
						break // j is beyond its last operation
					}
					require.ErrorIs(t, err, errKilled)
				}
			}
		})
	}
}

// TestCutFails lets each operation of a cut fail once.
func TestCutFails(t *testing.T) {
	first, _ := fullFile(t, crashForeign)
	operations := killAt(first, syscall.ENOSPC, 0)
	_, err := first.Remove(t.Context())
	require.NoError(t, err)
	want := contentAt(t, first.path)
	for k := 1; k <= *operations; k++ {
		h, _ := fullFile(t, crashForeign)
		killAt(h, syscall.ENOSPC, 0)
		healthy, count := h.disk.step, 0
		h.disk.step = func(op, path string) error {
			if count++; count == k {
				return syscall.EIO
			}
			return healthy(op, path)
		}
		_, err := h.Remove(t.Context())
		if err != nil {
			require.ErrorIs(t, err, syscall.EIO, "operation %d", k)
		}
		h.disk.step = healthy
		_, err = h.Remove(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, contentAt(t, h.path), "operation %d", k)
		requireNothingBeside(t, h.path)
	}
}
