//go:build soak && unix

package helper

import (
	"math/rand/v2"
	"testing"
)

// TestSoakBrokenFrames sends other frames each time, and names their seed.
func TestSoakBrokenFrames(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	requireNoHarm(t, rand.New(rand.NewPCG(seed, 2)), 10_000)
}
