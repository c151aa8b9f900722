// Package node is the machine that the local cluster runs on: not a container
// and not a virtual machine, but a process with mount, PID, network, UTS and
// IPC namespaces of its own, as "kind" does it with Docker.
//
// The two ends of it meet here. On the inside is PID 1, the program node/init,
// which is this package's Run: it furnishes the namespaces (Setup), then starts,
// stops and reaps processes on request. On the outside is package cluster, which
// makes the namespaces, sends the Setup, and asks PID 1 for things through a
// Client.
//
// Cleanliness is the kernel's job: when PID 1 dies, however it dies, every
// process of the node dies with it, and with the last of them go its mounts, its
// network devices and its nftables tables. Only what lies outside the namespaces
// (cgroups, the host's end of the network link, files) is left to be removed.
//
// Paths inside the node:
//
//	/run/devtun   the cluster's directory on the host
//	/run/bin      the programs of Setup.Programs
//	/var          the cluster directory's var: every program keeps its default paths
//	/run, /tmp    empty file systems in memory
//
// and everything else is the host's, seen through a mount namespace: its root can
// be read only, what the host unmounts goes here too, and what the node mounts the
// host never sees.
package node

import (
	"net/netip"
	"time"
)

// Home is the cluster's directory, as seen inside the node.
const Home = "/run/devtun"

// socket is where PID 1 listens, as seen inside the node.
const socket = "/run/node.sock"

// Setup says how PID 1 furnishes its namespaces. It is sent as JSON on PID 1's
// standard input; an input that ends early makes PID 1 exit, so that a starter
// that dies half-way leaves no node behind.
type Setup struct {
	// Directory is the cluster's directory on the host.
	Directory string
	// Programs maps each name under /run/bin to the file on the host behind it.
	Programs map[string]string
	// Hostname is the node's name for itself.
	Hostname string
	// Address is the node's address with the length of the link's prefix, on the
	// device eth0 that the starter has put into the network namespace.
	Address netip.Prefix
	// Gateway is the other end of that link. Routed are the networks that lead there.
	Gateway netip.Addr
	Routed  []netip.Prefix
}

// Command is a process that PID 1 is to start. At most one process of a name
// runs at any time.
type Command struct {
	Name string
	// Args is the command line. The program is looked up in the node's PATH.
	Args []string
	// Log is the file, as seen inside the node, that its output is appended to.
	Log string
}

// Process is what PID 1 knows about the latest process of a name.
type Process struct {
	Name string
	// PID is the process id inside the node.
	PID     int
	Running bool
	// Exit tells how it ended, in words; empty while it runs.
	Exit string
}

// StopRequest asks PID 1 to end the process of a name and to wait for its end:
// SIGTERM, then SIGKILL once Grace has passed; a Grace of 0 means SIGKILL at once.
type StopRequest struct {
	Name  string
	Grace time.Duration
}
