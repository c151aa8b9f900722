package dns

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/dns/loopback"
)

// Whatever address the other one listens on, if it blocks ours it is named.
func TestListenNamesTheHolder(t *testing.T) {
	for _, other := range []string{"127.7.7.7:0", "0.0.0.0:0", "[::]:0"} {
		_, port := listenSomewhere(t, other)
		_, err := Listen(t.Context(), netip.AddrPortFrom(addr("127.7.7.7"), port))
		require.ErrorIs(t, err, syscall.EADDRINUSE, other)
		var refused *ListenError
		require.ErrorAs(t, err, &refused)
		requireSelf(t, refused.Holder)
	}
}

func TestOtherAddressesAreFree(t *testing.T) {
	_, port := listenSomewhere(t, "127.7.7.7:0")
	listener, err := Listen(t.Context(), netip.AddrPortFrom(addr("127.7.7.8"), port))
	require.NoError(t, err)
	require.NoError(t, listener.Close())
}

func TestMachine(t *testing.T) {
	path := hostsFile(t, "127.0.0.1 localhost\n")
	var machine Machine = Direct{Hosts: newTestHosts(t, path), Aliases: new(loopback.Aliases)}
	ctx := context.Background()
	require.NoError(t, machine.AddAddress(ctx, addr("127.7.7.9")))
	listener, err := machine.Listen(ctx, netip.MustParseAddrPort("127.7.7.9:0"))
	require.NoError(t, err)
	require.IsType(t, (*net.TCPListener)(nil), listener)
	require.NoError(t, listener.Close())
	_, err = machine.SetNames(ctx, someEntries(1))
	require.NoError(t, err)
	require.Contains(t, contentAt(t, path), "api-0")
	_, err = machine.SetNames(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1 localhost\n", contentAt(t, path))
	require.NoError(t, machine.RemoveAddress(ctx, addr("127.7.7.9")))
}

func TestLowPortWithoutTheRight(t *testing.T) {
	// Containers often open low ports to all.
	raw, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	require.NoError(t, err)
	first, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	require.NoError(t, err)
	want := "denied\n"
	if first <= int(lowPort.Port()) {
		want = "fine\n"
	}
	out, err := asNobody("low").Output()
	require.NoError(t, err, string(out))
	require.Equal(t, want, string(out))
}

var lowPort = netip.MustParseAddrPort("127.7.7.7:81")

// lowRole listens on a low port and reports what became of it.
func lowRole([]string) error {
	_, err := Listen(context.Background(), lowPort)
	fmt.Println(verdict(err))
	return nil
}
