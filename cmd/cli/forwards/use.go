package forwards

import (
	"sync/atomic"

	"github.com/devtun/devtun/tunnel"
)

// Use is what has gone through a forward since it stands. It may be read at any
// time, also after the forward's end.
type Use struct {
	open, total atomic.Int64
	meter       tunnel.Meter
}

// Open is how many connections there are now, those that wait for a pod included.
func (u *Use) Open() int { return int(u.open.Load()) }

// Total is how many connections there were, open ones included.
func (u *Use) Total() int { return int(u.total.Load()) }

// Traffic is what they have carried so far.
func (u *Use) Traffic() tunnel.Traffic { return u.meter.Traffic() }
