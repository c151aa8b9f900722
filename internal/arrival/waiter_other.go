//go:build !linux

package arrival

import "net"

// Waiter waits on no listener: this system has no way that costs less than to accept.
type Waiter struct{}

// New returns a waiter.
func New() *Waiter { return &Waiter{} }

// Wait reports that come will not be called.
func (*Waiter) Wait(_ net.Listener, come func()) (waits bool) { return false }

// Forget does nothing.
func (*Waiter) Forget(net.Listener) {}

// Close does nothing.
func (*Waiter) Close() {}
