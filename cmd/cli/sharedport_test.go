package cli

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/session"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/tunnel/discovery"
)

func TestSharedPorts(t *testing.T) {
	shared := newSharedPorts([]intercept.Local{{Port: 80, Address: "localhost:8080"}, {Port: 81, Address: "127.0.0.1:9090"}, {Port: 82, Address: "10.1.2.3:7070"}})
	service := func(name, pod string, local int) *session.ServiceEvent {
		return &session.ServiceEvent{Service: discovery.Key{Namespace: "demo", Name: name}, Pod: pod, Address: "127.1.2.3", Ports: []session.PortEvent{{Local: local, Remote: 80}}}
	}
	require.Empty(t, shared.notes())
	shared.add(service("web", "", 8081))
	shared.add(service("far", "", 7070))
	require.Empty(t, shared.notes(), "other ports, and a process on another machine")
	shared.add(service("store", "", 8080))
	shared.add(service("store", "store-0", 8080))
	shared.add(service("api", "", 8080))
	require.Equal(t, []string{"the forward of store, api uses port 8080 too: the process here cannot listen there on all addresses"}, shared.notes())
}
