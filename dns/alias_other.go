//go:build !darwin

package dns

import (
	"context"
	"net/netip"
)

// AddAddress makes a loopback address usable. Here all of 127/8 is, always; on
// macOS it puts an alias on lo0.
func AddAddress(context.Context, netip.Addr) error { return nil }

// RemoveAddress undoes AddAddress.
func RemoveAddress(context.Context, netip.Addr) error { return nil }
