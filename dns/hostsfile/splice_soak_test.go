//go:build soak

package hostsfile

import (
	"math/rand/v2"
	"testing"
)

// TestSoakInsertAndRemoveIsIdentity takes other files each time, and names their seed.
func TestSoakInsertAndRemoveIsIdentity(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	requireIdentity(t, rand.New(rand.NewPCG(seed, 2)), 25_000)
}
