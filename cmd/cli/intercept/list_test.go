package intercept

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/wire"
)

func TestHowAClaimStands(t *testing.T) {
	there := func(connected bool, requests int64, to ...wire.Side) wire.Status {
		mine := wire.ClaimStatus{ID: "7A", Connected: connected, Requests: requests}
		for n, side := range to {
			mine.States = append(mine.States, wire.State{Port: 80 + n, To: side})
		}
		other := wire.ClaimStatus{ID: "7B", Connected: true, Requests: 100,
			States: []wire.State{{Port: 80, To: wire.ToDeveloper}}}
		return wire.Status{Claims: []wire.ClaimStatus{other, mine}}
	}
	for about, c := range map[string]struct {
		mode      plan.Mode
		statuses  []wire.Status
		connected string
		requests  int64
		to        wire.Side
	}{
		"no agent says":             {plan.Divert, nil, unknown, 0, ""},
		"agents know nothing of it": {plan.Divert, []wire.Status{{}, {}}, "no", 0, wire.ToOrigin},
		"nor has it an origin":      {plan.Replace, []wire.Status{{}}, "no", 0, wire.Held},
		"it comes here": {plan.Divert, []wire.Status{there(true, 3, wire.ToDeveloper), there(true, 4, wire.ToDeveloper)},
			"yes", 7, wire.ToDeveloper},
		"nobody listens": {plan.Divert, []wire.Status{there(true, 3, wire.ToOrigin)}, "yes", 3, wire.ToOrigin},
		"one port of two": {plan.Divert, []wire.Status{there(true, 0, wire.ToDeveloper, wire.ToOrigin)}, "yes", 0,
			intercept.Both},
		"it is gone": {plan.Divert, []wire.Status{there(false, 5, wire.ToOrigin)}, "no", 5, wire.ToOrigin},
	} {
		row := Listed{Claim: "7A", Mode: c.mode}
		require.Equal(t, c.to, row.ask(c.statuses), about)
		require.Equal(t, c.connected, row.Connected, about)
		require.Equal(t, c.requests, row.Requests, about)
	}
}

func TestARuleInTheList(t *testing.T) {
	require.Equal(t, "everything", Listed{}.rule())
	require.Equal(t, "-", Listed{Mode: plan.Relay}.rule())
	require.Equal(t, "ip/10.1.2.3:80,host/db:53/udp",
		Listed{Mode: plan.Relay, Reach: []string{"ip/10.1.2.3:80", "host/db:53/udp"}}.rule())
	require.Equal(t, "copies of path /api/, and TLS",
		Listed{Rule: claim.Rule{Path: "/api/"}, TLS: true, Mirror: true}.rule())
}

// TestWhoUsesARelay: whose claim an agent says is connected, and not who is gone.
func TestWhoUsesARelay(t *testing.T) {
	claims := []claim.Claim{{ID: "7A"}, {ID: "7B"}, {ID: "7C"}}
	used := connected(claims, []wire.Status{
		{Claims: []wire.ClaimStatus{{ID: "7A"}, {ID: "7B", Connected: true}, {ID: "7D", Connected: true}}},
		{Claims: []wire.ClaimStatus{{ID: "7A"}, {ID: "7B"}}},
	})
	require.Equal(t, []claim.Claim{{ID: "7B"}}, used)
	require.Equal(t, []claim.Claim{{ID: "7A"}, {ID: "7C"}}, without(claims, used))
	require.Empty(t, connected(claims, nil), "if no agent says")
}
