package hostsfile

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/devtun/devtun/dns/loopback"
	"github.com/devtun/devtun/internal/proc"
)

// roleVariable makes the test binary play another process; see roles.
const roleVariable = "DEVTUN_HOSTSFILE_TEST_ROLE"

// role is what a child process of a test does. It has its arguments on the
// command line and reports on standard output.
type role func(args []string) error

func TestMain(m *testing.M) {
	if role := roles[os.Getenv(roleVariable)]; role != nil {
		if err := role(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// Under the race detector each process waits a second before it ends.
	os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0") // for the children
	goleak.VerifyTestMain(m)
}

// newTestHosts is a session of its own, of this process, on a file of the test's.
func newTestHosts(t *testing.T, path string) *File {
	t.Helper()
	self, err := thisProcess()
	require.NoError(t, err)
	h, err := Of(self, path)
	require.NoError(t, err)
	h.session = newSession()
	h.state = filepath.Join(filepath.Dir(path), "state")
	return h
}

// thisProcess is Current, asked once.
var thisProcess = sync.OnceValues(proc.Self)

// newSession is a session that is nobody's.
func newSession() string {
	var b [sessionLen / 2]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// hostsFile makes a hosts file that holds content.
func hostsFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(memoryDir(t), "hosts")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	return path
}

// memoryDir is a directory where thousands of syncs cost nothing.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "devtun-dns")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func contentAt(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}

// putFile replaces the file at path in one step.
func putFile(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+"~", []byte(content), 0o644))
	require.NoError(t, os.Rename(path+"~", path))
}

// foreignAt is the file without our lines.
func foreignAt(t *testing.T, path string) string {
	t.Helper()
	_, foreign := split([]byte(contentAt(t, path)))
	return string(foreign)
}

// someEntries makes n entries of four names each.
func someEntries(n int) []Entry {
	entries := make([]Entry, n)
	for i := range entries {
		name := fmt.Sprintf("api-%d", i)
		entries[i] = Entry{
			Addr:  loopback.Address(name, 0),
			Names: []string{name, name + ".shop", name + ".shop.svc", name + ".shop.svc.cluster.local"},
		}
	}
	return entries
}

// linesOf is how many lines the block of that many entries has.
func linesOf(entries int) int { return 2 + entries*len(addressForms(addr("127.1.2.3"))) }

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// deadOwner is one of another boot.
var deadOwner = proc.ID{PID: 7, Start: 7, Boot: "another"}

// errKilled is what every operation returns after a test has "killed" the process.
var errKilled = errors.New("killed")

// requireSelf checks that a holder is this very process.
func requireSelf(t *testing.T, p proc.Process) {
	t.Helper()
	if runtime.GOOS != "linux" {
		require.Zero(t, p, "not known on this system")
		return
	}
	require.Equal(t, os.Getpid(), p.PID)
	require.NotEmpty(t, p.Name)
}
