package intercept

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/wire"
)

// TestDroppedCopiesAreTold of a mirror, and not of a tap, which wants none.
func TestDroppedCopiesAreTold(t *testing.T) {
	for _, tap := range []bool{false, true} {
		said := new(bytes.Buffer)
		events := &Events{Audience: Audience{Out: console.NewWriter(output.Streams{Out: said, Err: said}, "", false)},
			tap: tap}
		var c copies
		c.counted(events, &intercept.CountersEvent{Pod: "agent", Counters: wire.Counters{Dropped: 1}})
		require.Equal(t, !tap, bytes.Contains(said.Bytes(), []byte("copies are dropped")), said)
	}
}
