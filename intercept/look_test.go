package intercept

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/wire"
)

// TestMirror has copies come here, and the origin answer.
func TestMirror(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, agentDeployment(""))
	one := w.start("one")
	records := make(chan wire.Record, 10)
	s, _ := w.standingAs(func(c *Config) {
		c.Claim.Mirror = true
		c.Tap = &wire.Tap{Own: true}
		c.Request = func(_ string, r wire.Record) { records <- r }
	}, toLocal(t))
	require.NoError(t, s.Await(t.Context()))
	require.NoError(t, s.AwaitDeveloper(t.Context()))
	w.eventually(func() bool { return w.told.traffic().To == wire.ToMirror })
	require.Equal(t, "origin", one.who())
	require.Equal(t, wire.Origin, (<-records).By)
	w.eventually(func() bool { return s.Summary().Agents.Copied == 1 })
	require.Zero(t, s.Summary().Agents.Dropped)
	require.NoError(t, s.Leave(t.Context()))
}
