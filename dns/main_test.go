package dns

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/dns/loopback"
	"github.com/devtun/devtun/internal/proc"
)

// roleVariable makes the test binary play another process; see roles.
const roleVariable = "DEVTUN_DNS_TEST_ROLE"

// roles are what a child process of a test does.
var roles = map[string]func() error{}

func TestMain(m *testing.M) {
	if role := roles[os.Getenv(roleVariable)]; role != nil {
		if err := role(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// someEntries makes n entries of four names each.
func someEntries(n int) []hostsfile.Entry {
	entries := make([]hostsfile.Entry, n)
	for i := range entries {
		s := Service{Namespace: "shop", Name: fmt.Sprintf("api-%d", i)}
		names, err := Naming{Default: "shop"}.Names(s)
		if err != nil {
			panic(err) // the name is fixed
		}
		entries[i] = hostsfile.Entry{Addr: loopback.Address(Key("test", s), 0), Names: names}
	}
	return entries
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

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
