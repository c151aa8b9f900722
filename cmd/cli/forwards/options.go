package forwards

import (
	"context"
	"io"
	"time"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
)

// Options says what forwards are to do, and with what.
type Options struct {
	// Cluster tells clusters apart in the choice of addresses: the name of the
	// kubeconfig context.
	Cluster string
	// Naming says which names a service gets.
	Naming    dns.Naming
	Selection Selection
	// Dial connects to an endpoint; Pool.DialEndpoint is one.
	Dial func(ctx context.Context, to tunnel.Endpoint) (tunnel.Conn, error)
	// DialPacket begins a flow of datagrams to an endpoint, as tunnel.PacketPort wants it;
	// nil: there is no relay, and UDP is skipped.
	DialPacket func(ctx context.Context, to tunnel.Endpoint) (io.ReadWriteCloser, error)
	// Relay says what goes through a relay. With one, what only that reaches is forwarded.
	Relay RelayUse
	// Hold bounds how long a connection waits for a ready pod.
	Hold time.Duration
	// Requests, unless nil, says what is done with the requests to a port of a service;
	// nil is nothing. It is asked for each connection, and for the requests of one for
	// which there was something.
	Requests func(service discovery.Key, port int) *tunnel.Requests
	// Reading is of which services RequestEvents are told.
	Reading *Reading
	// PodAddresses has the pods' own addresses on this machine too.
	PodAddresses bool
	// Coming, unless nil, is told of each connection that comes, before its Dial.
	Coming func()
	// Tell is told what happens. Calls may come from several goroutines.
	Tell func(Event)
}

// RelayUse says what goes through a relay. Which way a connection takes is Dial's to know.
type RelayUse int

const (
	NoRelay     RelayUse = iota // nothing: there is none
	RelayNeeded                 // what a port-forward cannot carry
	RelayAll                    // everything
)

// Selection is which services are forwarded.
type Selection struct {
	// Wanted selects services; those it rejects are as good as not there.
	Wanted func(discovery.Key) bool
	// Named selects services that the user asked for by name. What stands in
	// the way of one of these at the start is an error, not a remark.
	Named func(discovery.Key) bool
	// Remaps moves ports.
	Remaps []Remap
	// Without, unless nil, selects ports that are not listened on, by their local number.
	Without func(service discovery.Key, local int) bool
	// Partly lets a named service lack the ports that this process has no right to
	// listen on, if it has any other.
	Partly bool
}

// reached is what is reached of a service, with the relay or without one.
func (o Options) reached(service *discovery.Service) *discovery.Service {
	if service == nil || o.Relay != NoRelay && o.DialPacket != nil {
		return service
	}
	return service.WithoutRelay()
}
