//go:build soak

package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSoakRelayOnTwoNodes has the network of a node cut off, with a relay's pod on it; the
// other's goes on.
//
//e2e:alone
func TestSoakRelayOnTwoNodes(t *testing.T) {
	near, far := apart(t)
	n := newNamespace(t)
	cordoned(t, far, func() { n.testserver("web", 2) })
	n.packets("datagrams", "web")
	for _, by := range byRelay {
		t.Run(by.name, func(t *testing.T) {
			d := by.start(t, "-n", n.name)
			n.relay()
			n.awaitAgentsOn(near, far)
			web := d.addr("web", 80)
			require.NoError(t, askAtOnce(web, 32, readyTimeout))
			kept := keep(t, web)
			require.NoError(t, kept.ask())
			conn := dialUDP(t, d.addr("datagrams", 7000))
			echoed(t, conn, 100)

			require.NoError(t, far.Cut(t.Context()))
			cut := time.Now()
			require.NoError(t, ask(web, recoverTime), "the first connection after the cut")
			require.NoError(t, askAtOnce(web, 32, recoverTime), "the connections that follow")
			t.Logf("connections went on %v after the cut", time.Since(cut).Round(time.Millisecond))
			l := startLoad(t, web, 50)
			l.sees(t, 100)
			echoed(t, conn, 100)
			l.finish(t)

			require.NoError(t, far.Mend(t.Context()))
			n.awaitAgentsOn(near, far)
			n.relay()
			require.NoError(t, askAtOnce(web, 32, recoverTime))
			requireUnmoved(t, d, "web", web)
			d.stop()
			n.noRelay()
		})
	}
}
