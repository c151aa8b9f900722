package tunnel

import "github.com/devtun/devtun/tunnel/relay"

// Conn is a connection to a port of a pod.
type Conn = relay.Conn

// Traffic counts a connection's payload bytes, as seen from this machine.
type Traffic = relay.Traffic

// Meter counts connections' payload bytes while they are carried.
type Meter = relay.Meter
