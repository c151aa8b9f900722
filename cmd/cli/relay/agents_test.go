package relay

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/intercept"
)

// TestAgentsOfAnInterceptServe from when they are there until they are not, and no relay of its
// own is brought as long as they are expected; nor is that waited for.
func TestAgentsOfAnInterceptServe(t *testing.T) {
	agents, events := new(Agents), make(chan forwards.RelayEvent, 8)
	defer agents.Expect("demo")()
	r := New(Config{Use: forwards.RelayAll, Agents: agents, Tell: func(e forwards.Event) { events <- *e.Relay }})
	defer r.Close()
	require.NoError(t, r.Stand(t.Context(), "demo"))
	require.Empty(t, events)
	for range 2 { // one intercept after another
		back := agents.Lend("demo", new(intercept.Intercept), nil)
		e := <-events
		require.Equal(t, forwards.RelayStanding, e.State)
		require.Zero(t, e.Pods(), "none of them is connected any more")
		back()
		require.Equal(t, forwards.RelayLost, (<-events).State)
	}
}

// TestNothingIsBroughtAtTheEnd: intercepts end before what goes through their agents does.
func TestNothingIsBroughtAtTheEnd(t *testing.T) {
	agents, events := new(Agents), make(chan forwards.RelayEvent, 8)
	back := agents.Lend("demo", new(intercept.Intercept), nil)
	r := New(Config{Use: forwards.RelayAll, Agents: agents, Tell: func(e forwards.Event) { events <- *e.Relay }})
	r.in("demo")
	require.Equal(t, forwards.RelayStanding, (<-events).State)
	agents.End()
	back()
	require.NotNil(t, agents.find("demo", nil), "they keep their place")
	r.Close()
	require.Empty(t, events)
}

func TestWhoseAgentsServe(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	agents, one := new(Agents), new(intercept.Intercept)
	serving := func(ctx context.Context, namespace string, reach ...string) *intercept.Intercept {
		if l := agents.await(ctx, namespace, reach); l != nil {
			return l.agents
		}
		return nil
	}
	require.Nil(t, serving(t.Context(), "demo"))
	over, again := agents.Expect("demo", "demo"), agents.Expect("demo")
	require.Nil(t, serving(t.Context(), "shop"))
	over()
	require.True(t, agents.expected("demo"), "by another")
	require.Nil(t, serving(ended, "demo"))
	defer agents.Lend("demo", one, []string{"ip/10.0.0.1:80"})()
	require.Same(t, one, serving(ended, "demo"))
	require.Same(t, one, serving(ended, "demo", "ip/10.0.0.1:80"))
	again()
	require.Nil(t, serving(t.Context(), "demo", "ip/10.0.0.1:80", "host/db:5432"), "its claim does not list that")

	var none *Agents
	none.Lend("demo", one, nil)()
	require.False(t, none.expected("demo"))
	require.Nil(t, none.await(t.Context(), "demo", nil))
}
