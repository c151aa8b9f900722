package relay

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	datagrams "github.com/devtun/devtun/intercept/relay"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/duplex"
)

// TestAFlowLeavesASilentRelay if another one is heard, and stays if none is.
func TestAFlowLeavesASilentRelay(t *testing.T) {
	t.Parallel()
	silent := make(chan struct{})
	l := linkBy(t, func(conn duplex.TCP) wire.Transport { return newMute(conn, silent) },
		func(_ wire.Opening, s *wire.Stream) { <-s.Broken() })
	dialled, _ := dial(t, l)
	var linked atomic.Bool
	flow := packets{Datagrams: datagrams.NewDatagrams(dialled), stream: dialled.(*conn).stream, linked: linked.Load}
	write := func() error { _, err := flow.Write([]byte("a datagram")); return err }
	linked.Store(true)
	require.NoError(t, write())
	linked.Store(false)
	close(silent)
	require.Eventually(t, func() bool { return flow.stream.Silence() >= silentTimeout }, 10*time.Second, time.Millisecond)
	require.NoError(t, write())
	linked.Store(true)
	require.ErrorIs(t, write(), errSilent)
	require.NoError(t, flow.Close())
}
