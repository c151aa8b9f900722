package tunnel

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/mux"
)

// TestTheCrowdSharesButForThoseThatTakeNoMore: small connections make no more API
// connections than sharedFrom, and retired ones take nobody's place.
func TestTheCrowdSharesButForThoseThatTakeNoMore(t *testing.T) {
	state := &podPool{}
	open := func(streams int) *pooled {
		near, far := net.Pipe()
		apiConn := &pooled{Connection: mux.New(near), streams: streams}
		t.Cleanup(func() { far.Close(); apiConn.Close() })
		state.apiConns = append(state.apiConns, apiConn)
		return apiConn
	}
	for range sharedFrom - 1 {
		open(mux.Workers)
	}
	best, live := state.best()
	require.Nil(t, best, "all are full, and there are few")
	require.Zero(t, live, "so another is opened")

	last := open(mux.Workers)
	best, live = state.best()
	require.NotNil(t, best, "from here on full ones are shared")
	require.Equal(t, sharedFrom, live, "and none is opened")

	for _, apiConn := range state.apiConns {
		if apiConn != last {
			apiConn.Retire()
		}
	}
	best, live = state.best()
	require.Same(t, last, best)
	require.Less(t, live, apiConnsPerPod, "retired ones are no choice, so others are opened beside them")
}
