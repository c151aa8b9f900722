package hostsfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/internal/proc"
)

// ways are the three ways to write the file, each forced by what exchange
// returns.
var ways = []struct {
	name     string
	exchange error
}{
	{"exchange", nil},
	{"rename", errors.ErrUnsupported},
	{"overwrite", syscall.EBUSY},
}

const crashForeign = "127.0.0.1\tlocalhost\n::1 localhost # no newline"

// killAt makes every operation from number k on do nothing: what a process
// leaves that is killed there. It returns the count of operations so far.
func killAt(h *File, way error, k int) *int {
	count := new(int)
	h.disk.Chunk = 300 // so that a kill leaves half of a file
	h.disk.Step = func(op, _ string) error {
		*count++
		if k > 0 && *count >= k {
			return errKilled
		}
		if op == "exchange" {
			return way
		}
		return nil
	}
	return count
}

// crashFile is a hosts file with a dead session in it, and two sessions: one to
// be killed and one to find what it left.
func crashFile(t *testing.T) (victim, finder *File) {
	t.Helper()
	path := filepath.Join(memoryDir(t), "hosts")
	dead := newBlock(newSession(), deadOwner, someEntries(4))
	require.NoError(t, os.WriteFile(path, join(dead, []byte(crashForeign)), 0o644))

	victim, finder = newTestHosts(t, path), newTestHosts(t, path)
	victim.owner.PID++ // another process, and for finder a dead one
	victim.alive = func(o proc.ID) bool { return o == victim.owner }
	finder.alive = func(o proc.ID) bool { return o == finder.owner }
	return victim, finder
}

// victims are the acts that get killed. They make the file longer, shorter and
// much shorter.
var victims = []struct {
	name string
	act  func(t *testing.T, h *File) error
}{
	{"longer", func(t *testing.T, h *File) error {
		_, err := h.Set(t.Context(), someEntries(9))
		return err
	}},
	{"shorter", func(t *testing.T, h *File) error {
		_, err := h.Set(t.Context(), someEntries(2))
		return err
	}},
	{"remove", func(t *testing.T, h *File) error {
		_, err := h.Remove(t.Context())
		return err
	}},
}

// TestKilledAtEveryOperation kills an update at each of its operations in turn,
// then the one that finds what it left at some of its own. The soak has all pairs.
func TestKilledAtEveryOperation(t *testing.T) {
	for _, way := range ways {
		requireSurvivesKills(t, way.name, 8)
	}
}

// requireSurvivesKills kills an update at each of its operations in turn, then the
// one that finds what it left at each of its own, and lets a third finish. Between
// them a foreign program appends to the file. Only one in stride of the second kills
// is done, another one after each first kill, and always the case without any.
func requireSurvivesKills(t *testing.T, wayName string, stride int) {
	t.Helper()
	const late = "\n10.0.0.9 late\n"
	way := wayError(wayName)
	for _, victim := range victims {
		t.Run(wayName+"/"+victim.name, func(t *testing.T) {
			first, _ := crashFile(t)
			operations := killAt(first, way, 0)
			require.NoError(t, victim.act(t, first))
			require.Greater(t, *operations, 8)
			for k := 1; k <= *operations; k++ {
				for j := 1 + k%stride; ; j += stride {
					h, finder := crashFile(t)
					killAt(h, way, k)
					require.ErrorIs(t, victim.act(t, h), errKilled)
					if way != syscall.EBUSY {
						require.Equal(t, crashForeign, foreignAt(t, h.path), "whole at every moment")
					}
					appendTo(t, h.path, late)

					killAt(finder, way, j)
					_, err := finder.Clean(t.Context())
					killAt(finder, way, 0)
					_, again := finder.Clean(t.Context())
					require.NoError(t, again)
					require.Equal(t, crashForeign+late, contentAt(t, h.path), "killed at %d, then at %d", k, j)
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

// TestFailureAtEveryOperation lets each operation fail once, as on a full disk.
func TestFailureAtEveryOperation(t *testing.T) {
	for _, way := range ways {
		for _, victim := range victims {
			t.Run(way.name+"/"+victim.name, func(t *testing.T) {
				first, _ := crashFile(t)
				operations := killAt(first, way.exchange, 0)
				require.NoError(t, victim.act(t, first))
				want := contentAt(t, first.path)
				for k := 1; k <= *operations; k++ {
					h, _ := crashFile(t)
					before := contentAt(t, h.path)
					killAt(h, way.exchange, 0)
					healthy, count := h.disk.Step, 0
					h.disk.Step = func(op, path string) error {
						if count++; count == k {
							return syscall.ENOSPC
						}
						return healthy(op, path)
					}
					err := victim.act(t, h)
					now := contentAt(t, h.path)
					require.Equal(t, crashForeign, foreignAt(t, h.path))
					if err != nil {
						require.ErrorIs(t, err, syscall.ENOSPC)
						require.True(t, now == before || len(now) == len(want), "old or new at %d", k)
					} else { // what failed was worth another pass
						require.Len(t, now, len(want), "operation %d", k)
					}

					h.disk.Step = healthy
					require.NoError(t, victim.act(t, h), "the next try succeeds")
					require.Len(t, contentAt(t, h.path), len(want))
					requireNothingBeside(t, h.path)
				}
			})
		}
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, appendFile(path, text))
}

// appendFile writes as a shell's >> does.
func appendFile(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

// renameFile adds text as an editor does: a new file in the old one's place.
func renameFile(path, text string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	next := filepath.Join(filepath.Dir(path), "editor~")
	if err := os.WriteFile(next, append(content, text...), 0o644); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// rewriteFile adds text as txeh does: the file is emptied and written anew.
func rewriteFile(path, text string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, "%s%s", content, text)
	return errors.Join(err, file.Close())
}
