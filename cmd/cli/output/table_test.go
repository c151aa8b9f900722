package output

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/live"
	"github.com/devtun/devtun/cmd/cli/status"
)

func TestNoTableWithoutATerminal(t *testing.T) {
	var out bytes.Buffer
	table := NewTable(TableConfig{In: &bytes.Buffer{}, Out: &out, Err: &out, Tracker: status.NewTracker("", "")})
	require.Nil(t, table)

	table.Show(live.Acts{}) // all of it does nothing then
	require.False(t, table.Shows())
	table.Close()
}

// tableIn is a table that writes lines to out, and is shown nowhere.
func tableIn(t *testing.T, out *bytes.Buffer) *Table {
	t.Helper()
	keys, hand := io.Pipe()
	t.Cleanup(func() { hand.Close() })
	table := newTable(TableConfig{
		Tracker: status.NewTracker("", ""), Quit: func() {}, In: keys, Out: out, Err: out,
		Cover: func(context.Context, io.Writer, Aside) func() { return func() {} },
	})
	table.config.Out = io.Discard
	return table
}

// TestServicesAreLeftToTheTable: lines of services would fill what room there is.
func TestServicesAreLeftToTheTable(t *testing.T) {
	for _, state := range []string{serviceReady, serviceWaiting, serviceSkipped, serviceFailed, serviceGone} {
		var out bytes.Buffer
		table := tableIn(t, &out)
		table.Write(Ready{})
		out.Reset()
		table.Write(Service{State: state, Label: "web"})
		require.Equal(t, state == serviceFailed, out.Len() > 0, state)
	}
}

func TestATableHasTheTerminalFromShowToClose(t *testing.T) {
	var out bytes.Buffer
	table := tableIn(t, &out)
	shown := make(chan struct{})
	next := table.config.Next
	table.config.Next = func(ctx context.Context) (status.Snapshot, error) {
		select {
		case shown <- struct{}{}:
		case <-ctx.Done():
		}
		return next(ctx)
	}
	require.False(t, table.Shows())
	table.Show(live.Acts{})
	table.Show(live.Acts{})
	<-shown
	require.True(t, table.Shows())
	table.Write(Intercept{State: Restored, Subject: "web"})
	require.Empty(t, out.String(), "it is written later")
	table.Close()
	require.False(t, table.Shows())
	require.Equal(t, "restored: web\n", out.String())
}
