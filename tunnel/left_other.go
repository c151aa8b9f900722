//go:build !linux

package tunnel

import "net"

// hasLeft reports whether the program at the other end of a connection takes
// nothing more, and whether that is known: it is not, here.
func hasLeft(net.Conn) (left, known bool) { return false, false }
