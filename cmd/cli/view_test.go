package cli

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/live"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/dns/helper"
)

func TestNoViewWithoutATerminal(t *testing.T) {
	var out, complaints bytes.Buffer
	streams := output.Streams{In: &bytes.Buffer{}, Out: &out, Err: &complaints}
	v := openView(&streams, status.NewTracker("", ""), false, nil)
	require.Nil(t, v)
	require.Equal(t, output.Streams{In: streams.In, Out: &out, Err: &complaints}, streams, "they are as they were")

	v.show() // all of it does nothing then
	v.close()
	asked := false
	v.start(func(_ context.Context, ask bool) (*helper.Client, error) { asked = ask; return nil, nil })(t.Context(), true)
	require.True(t, asked)
}

// TestTheViewLeavesServicesToItsTable: lines of services would fill what room there is.
func TestTheViewLeavesServicesToItsTable(t *testing.T) {
	var told []forwards.Event
	tell := (&view{}).tell(func(event forwards.Event) { told = append(told, event) })
	for _, event := range scene {
		tell(event)
	}
	for _, event := range told {
		require.True(t, event.Service == nil || event.Service.State == forwards.Failed, "%+v", event.Service)
	}
	require.Len(t, told, 6, "a failed service, and all that is no service")
}

func TestNoPasswordIsAskedForUnderAView(t *testing.T) {
	var out bytes.Buffer
	ctx, end := context.WithCancel(t.Context())
	defer end()
	v := &view{said: live.NewTranscript(&out, &out), ending: ctx, end: end}
	var asked []bool
	start := v.start(func(_ context.Context, ask bool) (*helper.Client, error) { asked = append(asked, ask); return nil, nil })
	start(t.Context(), true)
	keys, hand := io.Pipe()
	defer hand.Close()
	shown := make(chan struct{})
	tracker := status.NewTracker("", "")
	v.config = live.Config{Said: v.said, In: keys, Out: io.Discard, Next: func(ctx context.Context) (status.Snapshot, error) {
		select {
		case shown <- struct{}{}:
		case <-ctx.Done():
		}
		return tracker.Snapshot(), ctx.Err()
	}}
	v.show()
	v.show()
	<-shown
	start(t.Context(), true)
	v.close()
	start(t.Context(), true)
	require.Equal(t, []bool{true, false, true}, asked)
}
