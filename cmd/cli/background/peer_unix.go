//go:build unix

package background

import (
	"net"
	"os"

	"github.com/devtun/devtun/dns/helper"
)

// checkPeer refuses other users' processes, which the rights of the directory keep
// out already.
func checkPeer(conn *net.UnixConn) error { return helper.CheckPeer(conn, os.Getuid()) }
