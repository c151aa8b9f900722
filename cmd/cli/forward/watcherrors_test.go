package forward

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/forwards"
)

func TestErrorsOfWatchesAreToldOnceAndTheirEnd(t *testing.T) {
	var told []forwards.WarningEvent
	expired := errors.New("the login has expired")
	errs := &watchErrors{
		tell: func(event forwards.Event) { told = append(told, *event.Warning) },
		told: func(err error) bool { return errors.Is(err, expired) },
	}
	take := func() []forwards.WarningEvent {
		defer func() { told = nil }()
		return told
	}
	early, down, still := errors.New("early"), errors.New("down"), errors.New("still down")

	errs.note(early)
	errs.note(nil)
	require.Empty(t, take(), "before the start it is what the command ends with")
	require.Equal(t, early, errs.last())

	errs.start()
	errs.note(nil)
	require.Empty(t, take())
	errs.note(down)
	errs.note(still)
	require.Equal(t, []forwards.WarningEvent{{Message: "cannot watch the cluster, names and listeners stay: down"}},
		take())
	require.Equal(t, still, errs.last())
	errs.note(nil)
	errs.note(nil)
	require.Equal(t, []forwards.WarningEvent{{Message: "the API server answers again", Over: true}}, take())
	errs.note(expired)
	errs.note(nil)
	require.Empty(t, take(), "somebody else tells of it")
	errs.note(down)
	require.Len(t, take(), 1, "the next trouble is told again")
}
