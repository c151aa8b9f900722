package loopback

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func openTestLeases(t *testing.T, path string) *Leases {
	t.Helper()
	l, err := OpenLeases(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func take(t *testing.T, l *Leases, a netip.Addr) bool {
	t.Helper()
	ok, err := l.Take(a)
	require.NoError(t, err)
	return ok
}

func TestLeases(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases")
	a, b := openTestLeases(t, path), openTestLeases(t, path)
	one, two := addr("127.1.2.3"), addr("127.1.2.4")

	require.True(t, take(t, a, one))
	require.False(t, take(t, b, one), "another session holds it")
	require.False(t, take(t, a, one), "so does this one")
	require.True(t, take(t, b, two), "the neighbour is free")

	require.NoError(t, b.Release(one), "not b's to release")
	require.False(t, take(t, b, one))
	require.NoError(t, a.Release(one))
	require.True(t, take(t, b, one))

	require.NoError(t, b.Close())
	require.True(t, take(t, a, one), "closing frees all")
	require.True(t, take(t, a, two))
	_, err := b.Take(addr("127.1.2.5"))
	require.ErrorIs(t, err, os.ErrClosed)

	_, err = a.Take(addr("10.0.0.1"))
	require.ErrorContains(t, err, "not IPv4 loopback")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Zero(t, info.Size(), "nothing is ever written")
}

func TestAssign(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases")
	a, b := openTestLeases(t, path), openTestLeases(t, path)
	for attempt := range attempts {
		l := []*Leases{a, b}[attempt%2]
		got, err := l.Assign("key")
		require.NoError(t, err)
		require.Equal(t, Address("key", attempt), got)
	}
	_, err := b.Assign("key")
	require.ErrorContains(t, err, "all in use")
}

func TestLeasesOfManySessions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases")
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		seen = make(map[netip.Addr]int)
	)
	for range 8 {
		l := openTestLeases(t, path)
		wg.Go(func() {
			for i := range 50 {
				if a, err := l.Assign(strconv.Itoa(i)); err == nil {
					mu.Lock()
					seen[a]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	require.Len(t, seen, 8*50)
	for a, holders := range seen {
		require.Equal(t, 1, holders, a)
	}
}

// leaseRole takes the addresses of its arguments, says so and waits for the end
// of its input.
func leaseRole(args []string) error {
	l, err := OpenLeases(args[0])
	if err != nil {
		return err
	}
	for _, a := range args[1:] {
		ok, err := l.Take(netip.MustParseAddr(a))
		if err != nil {
			return err
		}
		fmt.Println(ok)
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func TestLeasesEndWithTheirProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases")
	mine := openTestLeases(t, path)
	one, two := addr("127.1.2.3"), addr("127.1.2.4")
	require.True(t, take(t, mine, two))

	child := exec.Command(os.Args[0], path, one.String(), two.String())
	child.Env = append(os.Environ(), roleVariable+"=lease")
	input, err := child.StdinPipe()
	require.NoError(t, err)
	defer input.Close()
	output, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	answers := bufio.NewScanner(output)
	require.True(t, answers.Scan())
	require.Equal(t, "true", answers.Text())
	require.True(t, answers.Scan())
	require.Equal(t, "false", answers.Text(), "this process holds it")
	require.False(t, take(t, mine, one), "the child holds it")

	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())
	require.Eventually(t, func() bool { return take(t, mine, one) }, 20*time.Second, time.Millisecond)
}

func TestLeaseFileIsForAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "leases")
	openTestLeases(t, path)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o666), info.Mode(), "whatever the umask")

	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(path, link))
	_, err = OpenLeases(link)
	require.Error(t, err, "links are not followed")
	_, err = OpenLeases(dir)
	require.Error(t, err, "a directory is no lease file")
	require.True(t, strings.HasSuffix(DefaultLeases(), "devtun.leases"))
}
