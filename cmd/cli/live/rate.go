package live

import (
	"time"

	"github.com/devtun/devtun/cmd/cli/status"
)

// window is over how long a rate is taken.
const window = 2 * time.Second

// rate is how fast something's counts grow, in bytes a second each way.
type rate struct {
	samples        []sample // of the window, oldest first
	sent, received float64
}

type sample struct {
	at             time.Time
	sent, received int64
}

// add takes counts of a moment. They go back when another forward takes the place
// of one.
func (r *rate) add(at time.Time, use status.Use) {
	now := sample{at, use.Sent, use.Received}
	if n := len(r.samples); n > 0 && (now.sent < r.samples[n-1].sent || now.received < r.samples[n-1].received) {
		r.samples = nil
	}
	r.samples = append(r.samples, now)
	for len(r.samples) > 2 && at.Sub(r.samples[1].at) >= window {
		r.samples = r.samples[1:]
	}
	first := r.samples[0]
	if seconds := at.Sub(first.at).Seconds(); seconds > 0 {
		r.sent = float64(now.sent-first.sent) / seconds
		r.received = float64(now.received-first.received) / seconds
		return
	}
	r.sent, r.received = 0, 0
}
