package loopback

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// roleVariable makes the test binary play another process; see roles.
const roleVariable = "DEVTUN_LOOPBACK_TEST_ROLE"

// roles are what a child process of a test does. It has its arguments on the command
// line and reports on standard output.
var roles = map[string]func(args []string) error{"lease": leaseRole}

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

// memoryDir is a directory where thousands of syncs cost nothing.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "devtun-loopback")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// errKilled is what every operation returns after a test has "killed" the process.
var errKilled = errors.New("killed")
