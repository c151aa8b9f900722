package intercept

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/claim"
)

func TestWhatIsTypedIsARule(t *testing.T) {
	tester := claim.Header{Name: "x-tester", Op: claim.Is, Value: "7"}
	for about, c := range map[string]struct {
		typed Match
		rule  claim.Rule
	}{
		"nothing":  {Match{}, claim.Rule{}},
		"a header": {Match{Headers: []string{"X-Tester=7"}}, claim.Rule{Headers: []claim.Header{tester}}},
		"all of it": {
			Match{Headers: []string{"x-tester=7", "accept~json"}, Path: "~^/v[12]/", Methods: []string{"put", "POST", "PUT"},
				Personal: "ann"},
			claim.Rule{Headers: []claim.Header{tester, {Name: "accept", Op: claim.Matches, Value: "json"},
				claim.Personal("ann")}, Path: "~^/v[12]/", Methods: []string{"POST", "PUT"}},
		},
		"one's own": {Match{Personal: OwnName}, claim.Rule{Headers: []claim.Header{claim.Personal(ownKey())}}},
	} {
		rule, err := c.typed.rule()
		require.NoError(t, err, about)
		require.Equal(t, c.rule, rule, about)
		require.True(t, c.typed.Equal(c.typed), about)
		require.Equal(t, about == "nothing", c.typed.Equal(Match{}), about)
	}
}

func TestANameMadeFitForBaggage(t *testing.T) {
	for name, want := range map[string]string{
		"ann": "ann", `CORP\ann`: "ann", "Ann Lee": "Ann-Lee", "jürg": "j-rg", "a=b%20": "a=b%20", `a,b;"`: "a-b--",
	} {
		require.Equal(t, want, fit(name))
	}
}
