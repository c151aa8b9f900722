package cli

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/forwards"
)

func TestTroubleIsToldOnceAndItsEnd(t *testing.T) {
	var told []forwards.WarningEvent
	expired := errors.New("the login has expired")
	trouble := &trouble{
		tell: func(event forwards.Event) { told = append(told, *event.Warning) },
		told: func(err error) bool { return errors.Is(err, expired) },
	}
	take := func() []forwards.WarningEvent {
		defer func() { told = nil }()
		return told
	}
	early, down, still := errors.New("early"), errors.New("down"), errors.New("still down")

	trouble.note(early)
	trouble.note(nil)
	require.Empty(t, take(), "before the start it is what the command ends with")
	require.Equal(t, early, trouble.last())

	trouble.start()
	trouble.note(nil)
	require.Empty(t, take())
	trouble.note(down)
	trouble.note(still)
	require.Equal(t, []forwards.WarningEvent{{Message: "cannot watch the cluster, names and listeners stay: down"}}, take())
	require.Equal(t, still, trouble.last())
	trouble.note(nil)
	trouble.note(nil)
	require.Equal(t, []forwards.WarningEvent{{Message: "the API server answers again", Over: true}}, take())
	trouble.note(expired)
	trouble.note(nil)
	require.Empty(t, take(), "somebody else tells of it")
	trouble.note(down)
	require.Len(t, take(), 1, "the next trouble is told again")
}
