package forwards

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
)

// TestRefusalsLeaveATrace: also for who does not ask for every connection.
func TestRefusalsLeaveATrace(t *testing.T) {
	var fails atomic.Bool
	fails.Store(true)
	w := newWorld(t, func(o *Options) {
		dial := o.Dial
		o.Hold = 200 * time.Millisecond
		o.Dial = func(ctx context.Context, to tunnel.Endpoint) (tunnel.Conn, error) {
			if fails.Load() {
				return nil, errors.New("no route")
			}
			return dial(ctx, to)
		}
	})
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080, "web-a"))}))
	w.take()
	for range 2 {
		c := w.dial(address("web", 0), 18080)
		_, err := io.ReadAll(c.conn)
		require.ErrorIs(t, err, syscall.ECONNRESET)
	}
	begun := "warning: demo/web port 18080: connections do not get through: no endpoint became ready in time: no route"
	ended := "connection web:18080 web-a, no endpoint in time"
	require.Eventually(t, func() bool { return len(w.told()) == 3 }, timeout, step)
	require.ElementsMatch(t, []string{begun, ended, ended}, w.take())

	fails.Store(false)
	require.Equal(t, "web-a:18080", w.reach(address("web", 0), 18080))
	require.True(t, w.events[0].Warning.Over)
	require.Equal(t, []string{"warning: demo/web port 18080: connections get through again"}, w.take())
	require.Equal(t, "web-a:18080", w.reach(address("web", 0), 18080))
	require.Empty(t, w.take())
}

// TestAConnectionOfAPortThatIsGone: devtun has not stopped, and nothing has failed.
func TestAConnectionOfAPortThatIsGone(t *testing.T) {
	for name, change := range map[string]*discovery.Service{
		"the port":    serviceOf(portOf(18081, "web-a")),
		"the service": nil,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080, "web-a"))}))
			c := w.dial(address("web", 0), 18080)
			require.Equal(t, "web-a:18080", c.line())
			require.NoError(t, w.apply(services{"web": change}))
			_, err := c.in.ReadByte()
			require.ErrorIs(t, err, syscall.ECONNRESET)
			for _, event := range w.events {
				if event.Connection != nil {
					require.Equal(t, "no longer forwarded", event.Connection.Reason)
					require.NoError(t, event.Connection.Err)
				}
			}
			require.Contains(t, w.take(), "connection web:18080 web-a, no longer forwarded")
		})
	}
}

// TestAPortThatNoPodServesIsNotShownAsReady: the others are.
func TestAPortThatNoPodServesIsNotShownAsReady(t *testing.T) {
	w := newWorld(t)
	named := portOf(18081)
	named.Absent = "metrics"
	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080, "web-a"), named)}))
	require.Equal(t, "without port 18081: no ready pod has a port named metrics", w.events[0].Service.Reason)
	require.Equal(t, []string{"ready web 18080:18080", "READY 1 services, 2 ports"}, w.take())

	require.NoError(t, w.apply(services{"web": serviceOf(portOf(18080, "web-b"), portOf(18081, "web-b"))}))
	require.Equal(t, []string{"ready web 18080:18080 18081:18081"}, w.take(), "a rollout has brought it")

	only := portOf(18080)
	only.Absent = "http"
	require.NoError(t, w.apply(services{"api": serviceOf(only)}))
	require.Equal(t, "no ready pod has a port named http", w.events[0].Service.Reason)
	require.Equal(t, []string{"waiting api 18080:18080"}, w.take())
}
