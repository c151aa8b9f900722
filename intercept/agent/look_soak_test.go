//go:build soak

package agent

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/duplex"
)

// TestSoakAMirrorThatIsStoppedCostsNothing compares requests with and without a mirror whose
// developer's side, or local process, is stopped.
func TestSoakAMirrorThatIsStoppedCostsNothing(t *testing.T) {
	origin := web(t, "origin")
	w := newWorld(t, greet("unused"), func(a *Agent) { a.Config.Ports[0].Origin = origin.address })
	stopped := make(chan struct{})
	local := serve(t, func(duplex.TCP) { <-stopped }) // takes connections, and reads nothing
	t.Cleanup(func() { close(stopped) })
	client := httpClient(t, false)
	body := strings.Repeat("x", 64<<10)
	round := func() (took []time.Duration) {
		for range 200 { // more than there may be copies of
			began := time.Now()
			response, err := client.Post("http://"+w.address("tcp", "", port)+"/", "", strings.NewReader(body))
			require.NoError(t, err)
			io.Copy(io.Discard, response.Body)
			response.Body.Close()
			took = append(took, time.Since(began))
		}
		return took
	}
	var without, with, silent []time.Duration
	dropped := 0
	for range 3 {
		without = append(without, round()...)
		l := w.hold(mirror(), to(local))
		with = append(with, round()...)
		w.eventually(func() bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			dropped = max(dropped, l.counters.Dropped)
			return dropped > 0
		})
		l.conn.pause() // and now the developer's side, too
		silent = append(silent, round()...)
		l.conn.resume()
		l.link.Close()
		<-l.ended
	}
	p99 := func(of []time.Duration) time.Duration {
		slices.Sort(of)
		return of[len(of)*99/100]
	}
	bound := 3*p99(without) + 20*time.Millisecond // this machine has other things to do
	require.Less(t, p99(with), bound)
	require.Less(t, p99(silent), bound)
	t.Logf("p99 without %v, with a stopped process %v, a stopped developer's side %v; %d dropped",
		p99(without), p99(with), p99(silent), dropped)
}
