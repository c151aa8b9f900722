//go:build soak

package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// nodeNoticed is how soon all traffic is off a node that has died, in this cluster: it
// waits for 5 s, looks each half, and its Services follow.
const nodeNoticed = 8 * time.Second

// TestSoakANodeDies has the node of an agent die while the developer is there, and
// that of the only agent while the developer is away.
//
//e2e:alone
func TestSoakANodeDies(t *testing.T) {
	near, far := apart(t)
	s := newSpread(t, near, far)
	s.within(t, "while the developer is there", func(t *testing.T) {
		m := s.at(func() { require.NoError(t, far.Kill(t.Context())) })
		s.awaitAgentsOn(near, near)
		s.pass(m, nodeNoticed+5*time.Second)
		byOther := 0
		for _, a := range s.load.all {
			switch after := a.At.Sub(m.to); {
			case after > nodeNoticed:
				assert.True(t, byDeveloper(a), "%v after the moment: %+v", after, a)
			case after > 0 && byDeveloper(a):
				byOther++
			}
		}
		require.NotZero(t, byOther, "the other agent goes on")
		s.undisturbed("the agents are on the other node")
		require.NoError(t, far.Start(t.Context()))
		s.undisturbed("the node is there again")
	})
	s.devtun.stop()
	s.noAgents()
	s.load.until("the origin answers", byOrigin)

	before := s.trace()
	var d *devtun
	cordoned(t, near, func() {
		d = s.intercept("--replace", "--grace", "20s", "--no-forward", "--port", s.local.port()+":8080")
	})
	s.within(t, "while the developer is away", func(t *testing.T) {
		s.awaitAgentsOn(far)
		killHard(t, d.cmd.Process.Pid)
		d.forgotten()
		require.NoError(t, far.Kill(t.Context()))
		listed := s.listed()
		require.Len(t, listed, 1, "what is to be undone is known")
		killed := time.Now()
		s.awaitAgentsOn(near)
		t.Logf("the next agent ran %v after the node's end", time.Since(killed).Round(100*time.Millisecond))
		s.asTraced(before)
		t.Logf("all was as before %v after it", time.Since(killed).Round(100*time.Millisecond))
		s.load.until("the origin answers", byOrigin)
		require.Empty(t, s.listed())
		require.NoError(t, far.Start(t.Context()))
		s.noAgents()
	})
}
