package tunnel

import "github.com/devtun/devtun/tunnel/duplex"

// Conn is a connection to a port of a pod.
type Conn = duplex.Conn

// Traffic counts a connection's payload bytes, as seen from this machine.
type Traffic = duplex.Traffic

// Meter counts connections' payload bytes while they are carried.
type Meter = duplex.Meter
