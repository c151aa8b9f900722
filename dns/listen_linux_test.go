package dns

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/dns/hostsfile"
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
	const original = "127.0.0.1 localhost\n"
	path := filepath.Join(t.TempDir(), "hosts")
	require.NoError(t, os.WriteFile(path, []byte(original), 0o644))
	hosts, err := hostsfile.New(path)
	require.NoError(t, err)
	var machine Machine = Direct{Hosts: hosts, Aliases: new(loopback.Aliases)}
	ctx := context.Background()
	require.NoError(t, machine.AddAddress(ctx, addr("127.7.7.9")))
	listener, err := machine.Listen(ctx, netip.MustParseAddrPort("127.7.7.9:0"))
	require.NoError(t, err)
	require.IsType(t, (*net.TCPListener)(nil), listener)
	require.NoError(t, listener.Close())
	socket, err := machine.ListenPacket(ctx, netip.MustParseAddrPort("127.7.7.9:0"))
	require.NoError(t, err)
	require.NoError(t, socket.Close())
	_, err = machine.ListenPacket(ctx, netip.MustParseAddrPort("0.0.0.0:0"))
	require.ErrorAs(t, err, new(*ListenError))
	_, err = machine.SetNames(ctx, someEntries(1))
	require.NoError(t, err)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(content), "api-0")
	_, err = machine.SetNames(ctx, nil)
	require.NoError(t, err)
	content, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, original, string(content))
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
	child := exec.Command("/proc/self/exe")
	child.Env = append(os.Environ(), roleVariable+"=low")
	if os.Geteuid() == 0 {
		child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := child.Output()
	require.NoError(t, err, string(out))
	require.Equal(t, want, string(out))
}

var lowPort = netip.MustParseAddrPort("127.7.7.7:81")

func init() { roles["low"] = lowRole }

// lowRole listens on a low port and reports what became of it.
func lowRole() error {
	_, err := Listen(context.Background(), lowPort)
	switch {
	case err == nil:
		fmt.Println("fine")
	case errors.Is(err, fs.ErrPermission):
		fmt.Println("denied")
	default:
		return err
	}
	return nil
}
