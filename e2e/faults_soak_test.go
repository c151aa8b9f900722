//go:build soak

package e2e

import (
	"testing"
	"time"
)

// TestSoakFaultsPass lets each fault last for longer than every timeout that could
// notice it, all at the same time.
func TestSoakFaultsPass(t *testing.T) {
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f.lasts = 75 * time.Second
			survive(t, f, portForward)
		})
	}
}
