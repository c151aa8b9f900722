package helper

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/dns/loopback"
)

// hostsAt makes a session of this process for a hosts file that it may not
// write, not even as root, unless writable says so.
func hostsAt(t *testing.T, writable bool) *hostsfile.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hosts")
	require.NoError(t, os.WriteFile(path, []byte("127.0.0.1 localhost\n"), 0o644))
	if !writable {
		path = "/proc/sys/kernel/osrelease"
	}
	hosts, err := hostsfile.New(path)
	require.NoError(t, err)
	return hosts
}

// starter counts the helpers that a Machine starts.
type starter struct {
	t     *testing.T
	asked []bool
	err   error

	mu   sync.Mutex
	last *served
}

func (s *starter) start(_ context.Context, ask bool) (*Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, ask)
	if s.err != nil {
		return nil, s.err
	}
	s.last = serve(s.t)
	return NewClient(s.last.peer), nil
}

func TestNoHelperWhereNoneIsNeeded(t *testing.T) {
	s := &starter{t: t}
	m := NewMachine(dns.Direct{Hosts: hostsAt(t, true), Aliases: new(loopback.Aliases)}, true, s.start)
	require.NoError(t, m.Prepare(t.Context()))
	_, err := m.SetNames(t.Context(), someEntries(1))
	require.NoError(t, err)
	_, err = m.SetNames(t.Context(), nil)
	require.NoError(t, err)
	listener, err := m.Listen(t.Context(), freePort(t, "127.7.8.9"))
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	require.NoError(t, m.Close())
	require.Empty(t, s.asked)
}

func TestOneHelperForAllThatNeedsIt(t *testing.T) {
	s := &starter{t: t}
	m := NewMachine(dns.Direct{Hosts: hostsAt(t, false), Aliases: new(loopback.Aliases)}, true, s.start)
	require.NoError(t, m.Prepare(t.Context()))
	for range 3 {
		_, err := m.SetNames(t.Context(), someEntries(2))
		require.NoError(t, err)
	}
	require.Equal(t, 3, s.last.machine.done().writes)
	require.Equal(t, []bool{true}, s.asked)
	require.NoError(t, m.Close())
	require.NoError(t, s.last.end(t))
}

// A file that a user has named is never written with root's rights.
func TestTheHelperWritesNoFileButTheSystems(t *testing.T) {
	s := &starter{t: t}
	m := NewMachine(dns.Direct{Hosts: hostsAt(t, false), Aliases: new(loopback.Aliases)}, false, s.start)
	require.ErrorIs(t, m.Prepare(t.Context()), os.ErrPermission)
	_, err := m.SetNames(t.Context(), someEntries(1))
	require.ErrorIs(t, err, os.ErrPermission)
	require.Empty(t, s.asked)
}

func TestOneQuestionIsEnough(t *testing.T) {
	s := &starter{t: t, err: errTest}
	m := NewMachine(dns.Direct{Hosts: hostsAt(t, false), Aliases: new(loopback.Aliases)}, true, s.start)
	for range 3 {
		err := m.Prepare(t.Context())
		require.ErrorIs(t, err, errTest)
		require.ErrorIs(t, err, os.ErrPermission, "what it was needed for is said too")
	}
	require.Equal(t, []bool{true}, s.asked)
}

func TestALostHelperIsFollowedWithoutAQuestion(t *testing.T) {
	s := &starter{t: t}
	m := NewMachine(dns.Direct{Hosts: hostsAt(t, false), Aliases: new(loopback.Aliases)}, true, s.start)
	_, err := m.SetNames(t.Context(), someEntries(1))
	require.NoError(t, err)
	first := s.last
	first.stop()
	first.end(t)

	_, err = m.SetNames(t.Context(), someEntries(2))
	require.NoError(t, err)
	require.Equal(t, someEntries(2), s.last.machine.done().names)
	require.Equal(t, []bool{true, false}, s.asked)

	// If none is to be had, that is said; another time one may be.
	s.last.stop()
	s.last.end(t)
	s.err = errTest
	_, err = m.SetNames(t.Context(), someEntries(3))
	require.ErrorIs(t, err, ErrGone)
	s.err = nil
	_, err = m.SetNames(t.Context(), someEntries(3))
	require.NoError(t, err)
	require.NoError(t, m.Close())
}

func TestALowPortIsTheHelpers(t *testing.T) {
	s := &starter{t: t}
	m := NewMachine(dns.Direct{Hosts: hostsAt(t, true), Aliases: new(loopback.Aliases)}, true, s.start)
	m.listen = deny
	at := freePort(t, "127.7.8.9")
	listener, err := m.Listen(t.Context(), at)
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	m.listenPacket = denyPacket
	socket, err := m.ListenPacket(t.Context(), at)
	require.NoError(t, err)
	require.NoError(t, socket.Close())
	require.Equal(t, []netip.AddrPort{at, at}, s.last.machine.done().listened)

	s.last.machine.failWith(errTest)
	_, err = m.Listen(t.Context(), at)
	var refused *dns.ListenError
	require.True(t, errors.As(err, &refused))
	_, err = m.ListenPacket(t.Context(), at)
	require.True(t, errors.As(err, &refused))
	require.NoError(t, m.Close())
}
