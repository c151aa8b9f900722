package up

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/project"
	"github.com/devtun/devtun/intercept/target"
)

func TestAnErrorAboutAnEntryLeadsThere(t *testing.T) {
	place := project.Position{File: "/shop/devtun.yaml", Line: 3, Column: 15}
	unknown := &target.UnknownError{Kind: "Service or workload", Name: "shpo", Namespace: "demo",
		Candidates: []string{"shop"}}
	for name, c := range map[string]struct {
		err        error
		text, hint string
	}{
		"no such workload": {unknown, `/shop/devtun.yaml:3:15: ` + unknown.Error(), "did you mean shop?"},
		"two of one": {problem.Usage("list it once", "a and b are both of c"),
			"/shop/devtun.yaml:3:15: a and b are both of c", "list it once"},
		"not of the entry": {errors.New("away"), "away", ""},
	} {
		t.Run(name, func(t *testing.T) {
			told := problem.Of(placed(place, c.err))
			require.Equal(t, c.text, told.Error())
			require.Equal(t, c.hint, told.Hint)
			require.Equal(t, problem.Of(c.err).Code, told.Code)
			require.Equal(t, c.err, placed(project.Position{}, c.err), "of a project that is no file")
		})
	}
	require.NoError(t, placed(place, nil))
}

// Editors make one problem of an error and the line behind it.
func TestUpSaysAHintWithEachError(t *testing.T) {
	require.NoError(t, withHint(nil))
	require.NotEmpty(t, problem.Of(withHint(errors.New("something"))).Hint)
	require.Equal(t, "so", problem.Of(withHint(problem.Usage("so", "what"))).Hint)
}
