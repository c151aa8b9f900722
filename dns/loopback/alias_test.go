package loopback

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/internal/disk"
	"github.com/devtun/devtun/internal/proc"
)

// fakeLoopback is a machine's loopback interface.
type fakeLoopback struct {
	addrs  map[netip.Addr]bool
	routes map[netip.Addr]Route
	peers  map[netip.Addr]bool
	step   func(op, path string) error // as a disk's
}

func (f *fakeLoopback) answers(addr netip.Addr) bool { return addr == localhost }

func (f *fakeLoopback) present(addr netip.Addr) (bool, error) {
	err := disk.FS{Step: f.step}.Do("present", addr.String(), func() error { return nil })
	return err == nil && f.addrs[addr], err
}

func (f *fakeLoopback) add(_ context.Context, _ *os.File, addr netip.Addr) error {
	return disk.FS{Step: f.step}.Do("add", addr.String(), func() error {
		f.addrs[addr] = true
		return nil
	})
}

func (f *fakeLoopback) remove(_ context.Context, _ *os.File, addr netip.Addr) error {
	return disk.FS{Step: f.step}.Do("remove", addr.String(), func() error {
		if !f.addrs[addr] {
			return errors.New("no such address")
		}
		delete(f.addrs, addr)
		return nil
	})
}

func (f *fakeLoopback) connected(addr netip.Addr) (bool, error) { return f.peers[addr], nil }

func (f *fakeLoopback) route(_ context.Context, addr netip.Addr) (Route, error) {
	err := disk.FS{Step: f.step}.Do("route", addr.String(), func() error { return nil })
	return f.routes[addr], err
}

var (
	foreignAlias = addr("127.9.9.9") // was there before devtun
	ourAlias     = addr("127.1.2.3")
	deadAlias    = addr("127.4.5.6") // left by a dead session
)

// aliasMachine is a machine with a foreign alias and one of a dead session. It
// returns what makes the Aliases of its processes, in one boot.
func aliasMachine(t *testing.T) (lo *fakeLoopback, process func(pid int) *Aliases) {
	t.Helper()
	dir := filepath.Join(memoryDir(t), "aliases")
	addrs := map[netip.Addr]bool{localhost: true, foreignAlias: true}
	lo = &fakeLoopback{addrs: addrs}
	process = func(pid int) *Aliases {
		self := proc.ID{PID: pid, Start: 1, Boot: "boot"}
		return &Aliases{owner: self, dir: dir, lo: lo, alive: func(o proc.ID) bool { return o == self }}
	}
	require.NoError(t, process(1).Add(t.Context(), deadAlias))
	return lo, process
}

// requireAliases checks what answers beside what always does, and the records.
func requireAliases(t *testing.T, a *Aliases, want ...netip.Addr) {
	t.Helper()
	lo := a.lo.(*fakeLoopback)
	for _, addr := range append([]netip.Addr{localhost, foreignAlias}, want...) {
		require.True(t, lo.addrs[addr], "%s is gone", addr)
	}
	require.Len(t, lo.addrs, 2+len(want), "%v", lo.addrs)
	entries, err := os.ReadDir(a.dir)
	require.NoError(t, err)
	var records []string
	for _, entry := range entries {
		if entry.Name() != draftName {
			records = append(records, entry.Name())
		}
	}
	var names []string
	for _, addr := range want {
		names = append(names, addr.String())
	}
	slices.Sort(names)
	require.Equal(t, names, records)
}

func TestAliasesComeBack(t *testing.T) {
	ctx := t.Context()
	_, process := aliasMachine(t)
	a := process(2)
	require.NoError(t, a.Add(ctx, ourAlias))
	require.NoError(t, a.Add(ctx, ourAlias), "twice is fine")
	require.NoError(t, a.Add(ctx, foreignAlias))
	require.NoError(t, a.Add(ctx, localhost))
	requireAliases(t, a, ourAlias, deadAlias)
	owner, err := a.ownerOf(ourAlias)
	require.NoError(t, err)
	require.Equal(t, a.owner, owner)

	require.NoError(t, process(3).Remove(ctx, ourAlias))
	requireAliases(t, a, ourAlias, deadAlias) // another's

	removed, err := a.Clean(ctx)
	require.NoError(t, err)
	require.Equal(t, []netip.Addr{deadAlias}, removed)
	requireAliases(t, a, ourAlias)

	for range 2 {
		require.NoError(t, a.Remove(ctx, ourAlias))
		require.NoError(t, a.Remove(ctx, foreignAlias))
		require.NoError(t, a.Remove(ctx, localhost))
		requireAliases(t, a)
	}
	removed, err = a.Clean(ctx)
	require.NoError(t, err)
	require.Empty(t, removed)
}

// The last one to add an alias owns it, also if the first was dead.
func TestAliasChangesHands(t *testing.T) {
	ctx := t.Context()
	_, process := aliasMachine(t)
	a := process(2)
	require.NoError(t, a.Add(ctx, deadAlias))
	removed, err := a.Clean(ctx)
	require.NoError(t, err)
	require.Empty(t, removed)
	require.NoError(t, process(1).Remove(ctx, deadAlias), "too late")
	requireAliases(t, a, deadAlias)
	require.NoError(t, a.Remove(ctx, deadAlias))
	requireAliases(t, a)
}

// After a boot no alias is there any more; one that is was put there since, by
// somebody else.
func TestAliasesOfAnotherBoot(t *testing.T) {
	ctx := t.Context()
	for _, c := range []struct {
		about string
		since []netip.Addr
		act   func(a *Aliases) error
		want  []netip.Addr // with a record
		alone []netip.Addr // without one
	}{
		{"clean", nil, func(a *Aliases) error { _, err := a.Clean(ctx); return err }, nil, nil},
		{"clean, added since", []netip.Addr{deadAlias},
			func(a *Aliases) error { _, err := a.Clean(ctx); return err }, nil, []netip.Addr{deadAlias}},
		{"add", nil, func(a *Aliases) error { return a.Add(ctx, deadAlias) }, []netip.Addr{deadAlias}, nil},
		{"add, added since", []netip.Addr{deadAlias},
			func(a *Aliases) error { return a.Add(ctx, deadAlias) }, nil, []netip.Addr{deadAlias}},
	} {
		t.Run(c.about, func(t *testing.T) {
			lo, process := aliasMachine(t)
			clear(lo.addrs)
			for _, addr := range append([]netip.Addr{localhost, foreignAlias}, c.since...) {
				lo.addrs[addr] = true
			}
			a := process(2)
			a.owner.Boot = "next"
			require.NoError(t, c.act(a))
			for _, addr := range c.alone {
				require.True(t, lo.addrs[addr])
				delete(lo.addrs, addr)
			}
			requireAliases(t, a, c.want...)
		})
	}
}

func TestAliasesRefusePublicAddresses(t *testing.T) {
	_, process := aliasMachine(t)
	for _, a := range []*Aliases{process(2), new(Aliases)} {
		for _, addr := range []netip.Addr{addr("8.8.8.8"), addr("::1"), addr("::ffff:10.0.0.1"), addr("fe80::1%lo"), {}} {
			require.Error(t, a.Add(t.Context(), addr))
			require.Error(t, a.Remove(t.Context(), addr))
		}
	}
	requireAliases(t, process(2), deadAlias)
}

// Names in the directory that are no records of ours do no harm; a record that
// cannot be read is reported, and does not keep Clean from the others.
func TestAliasRecordsGoneWrong(t *testing.T) {
	lo, process := aliasMachine(t)
	a := process(2)
	dead, err := os.ReadFile(a.record(deadAlias))
	require.NoError(t, err)
	for _, name := range []string{"127.0.0.1", "8.8.8.8", "127.9.9.9.9", "draft"} {
		require.NoError(t, os.WriteFile(filepath.Join(a.dir, name), dead, 0o600))
	}
	require.NoError(t, os.WriteFile(a.record(ourAlias), []byte("?"), 0o600))
	lo.addrs[ourAlias] = true
	removed, err := a.Clean(t.Context())
	require.ErrorContains(t, err, a.record(ourAlias))
	require.Equal(t, []netip.Addr{deadAlias}, removed)
	require.Equal(t, map[netip.Addr]bool{localhost: true, foreignAlias: true, ourAlias: true}, lo.addrs)
}

// aliasVictims are the acts that get killed or fail.
var aliasVictims = map[string]func(ctx context.Context, a *Aliases) error{
	"add":       func(ctx context.Context, a *Aliases) error { return a.Add(ctx, ourAlias) },
	"take over": func(ctx context.Context, a *Aliases) error { return a.Add(ctx, deadAlias) },
	"foreign":   func(ctx context.Context, a *Aliases) error { return a.Add(ctx, foreignAlias) },
	"add and remove": func(ctx context.Context, a *Aliases) error {
		return errors.Join(a.Add(ctx, ourAlias), a.Remove(ctx, ourAlias))
	},
	"clean": func(ctx context.Context, a *Aliases) error { _, err := a.Clean(ctx); return err },
}

// stepFrom makes every operation from number k to number last fail with err. It
// returns the count of operations so far.
func stepFrom(a *Aliases, k, last int, err error) *int {
	count := new(int)
	a.disk.Step = func(string, string) error {
		*count++
		if k <= *count && *count <= last {
			return err
		}
		return nil
	}
	a.lo.(*fakeLoopback).step = a.disk.Step
	return count
}

const never = 1 << 30

// TestAliasesKilledAtEveryOperation kills a session at each operation in turn,
// then the one that cleans up after it, and lets a third finish.
func TestAliasesKilledAtEveryOperation(t *testing.T) {
	ctx := t.Context()
	for about, act := range aliasVictims {
		t.Run(about, func(t *testing.T) {
			for k, completed := 1, false; !completed; k++ {
				for j := 1; ; j++ {
					_, process := aliasMachine(t)
					victim, finder := process(2), process(3)
					count := stepFrom(victim, k, never, errKilled)
					err := act(ctx, victim)
					if completed = *count < k; completed {
						require.NoError(t, err)
					} else {
						require.ErrorIs(t, err, errKilled)
					}
					stepFrom(finder, j, never, errKilled)
					_, err = finder.Clean(ctx)
					stepFrom(finder, never, never, nil)
					_, again := finder.Clean(ctx)
					require.NoError(t, again)
					requireAliases(t, finder)
					if err == nil {
						break // j is beyond its last operation
					}
				}
			}
		})
	}
}

// TestAliasesFailAtEveryOperation lets each operation fail once, for instance
// without root's rights: what the session says is done is done, and it can
// still undo it.
func TestAliasesFailAtEveryOperation(t *testing.T) {
	ctx := t.Context()
	for about, act := range aliasVictims {
		t.Run(about, func(t *testing.T) {
			for k, completed := 1, false; !completed; k++ {
				_, process := aliasMachine(t)
				a := process(2)
				count := stepFrom(a, k, k, os.ErrPermission)
				err := act(ctx, a)
				if completed = *count < k; !completed {
					require.ErrorIs(t, err, os.ErrPermission)
				}
				stepFrom(a, never, never, nil)
				_, err = a.Clean(ctx)
				require.NoError(t, err)
				require.NoError(t, errors.Join(a.Remove(ctx, ourAlias), a.Remove(ctx, deadAlias)))
				requireAliases(t, a)
			}
		})
	}
}
