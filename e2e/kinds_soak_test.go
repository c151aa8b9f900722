//go:build soak

package e2e

import "testing"

// TestSoakAnyKind is about what may happen to a scale while it is changed.
func TestSoakAnyKind(t *testing.T) {
	definitions(t)
	t.Run("all", func(t *testing.T) { // the kinds are there as long as these run
		t.Run("killed at requests", func(t *testing.T) { t.Parallel(); scaleKilledAtRequests(t) })
		t.Run("scaled by somebody else", func(t *testing.T) { t.Parallel(); scaledBySomebodyElse(t) })
	})
}
