//go:build soak

package e2e

import "testing"

// TestSoakAnInMemoryStoreIsUnharmed goes the other ways.
func TestSoakAnInMemoryStoreIsUnharmed(t *testing.T) {
	isUnharmed(t, "killed, and restored by somebody", "the plan is deleted", "killed, and the plan is deleted",
		"killed, and the agents are deleted")
}
