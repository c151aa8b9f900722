package intercept

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/intercept"
)

func TestSharedPorts(t *testing.T) {
	locals := []intercept.Local{{Port: 80, Address: ":8080"}, {Port: 81, Address: "127.0.0.1:9090"},
		{Port: 82, Address: "10.1.2.3:7070"}}
	own := status.Snapshot{PID: os.Getpid(), Namespace: "demo"}
	service := func(name, pod string, local int) {
		own.Services = append(own.Services,
			status.Service{Namespace: "demo", Service: name, Pod: pod, Address: "127.1.2.3",
				Ports: []status.Port{{Local: local, Port: 80}}})
	}
	require.Empty(t, sharedPorts(locals, make(reported), own))
	service("web", "", 8081)
	service("far", "", 7070)
	require.Empty(t, sharedPorts(locals, make(reported), own), "other ports, and a process on another machine")
	service("store", "", 8080)
	service("store", "store-0", 8080)
	service("api", "", 8080)
	const all = ": the process here cannot listen there on all addresses"
	said := make(reported)
	require.Equal(t, []string{"the forward of store, api uses port 8080 too" + all}, sharedPorts(locals, said, own))
	service("late", "", 8080)
	require.Equal(t, []string{"the forward of late uses port 8080 too" + all}, sharedPorts(locals, said, own),
		"each once")

	other := status.Snapshot{PID: os.Getpid() + 1, Session: "forward.7", Namespace: "shop", Services: own.Services[2:3]}
	other.Services = append(other.Services,
		status.Service{Namespace: "shop", Service: "off", Ports: []status.Port{{Local: 9090}}})
	require.Equal(t, []string{"the forward of store.demo (session forward.7) uses port 8080 too" + all},
		sharedPorts(locals, make(reported), other), "whosesoever it is, if it has an address")
}

func TestHereAs(t *testing.T) {
	for address, want := range map[string]string{
		":80": "localhost:80", "localhost:80": "localhost:80", "127.0.0.1:80": "localhost:80",
		"[::1]:80": "localhost:80", "0.0.0.0:80": "localhost:80", "[::]:80": "localhost:80",
		"10.0.0.1:80": "10.0.0.1:80", "other:80": "other:80",
	} {
		require.Equal(t, want, SameHere(address), address)
	}
}

func TestListener(t *testing.T) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer socket.Close()
	name, here := listener(intercept.Local{Address: fmt.Sprintf(":%d", socket.Addr().(*net.TCPAddr).Port)})
	require.True(t, here)
	if runtime.GOOS == "linux" {
		require.Contains(t, name, fmt.Sprintf("(pid %d), started as %q", os.Getpid(), commandLine(os.Getpid())))
	}
	for _, address := range []string{"10.1.2.3:80", "other:80"} {
		_, here = listener(intercept.Local{Address: address})
		require.False(t, here, address)
	}
	require.Empty(t, commandLine(-1))
}
