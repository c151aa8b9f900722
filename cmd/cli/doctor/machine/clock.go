package machine

import (
	"context"
	"fmt"
	"time"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
)

const (
	// lateClock is what a clock may be off before it confuses people who read logs.
	lateClock = 5 * time.Second

	// wrongClock is what it may be off before tokens and certificates that are new, or
	// about to end, are refused.
	wrongClock = time.Minute
)

// clock compares this machine's clock with the API server's.
func (o *Options) clock(context.Context) []check.Result {
	const name = "clock"
	if o.Clock == nil {
		return []check.Result{result(name, check.NotChecked, errNoCluster.Error())}
	}
	server, err := o.Clock()
	if err != nil {
		return []check.Result{result(name, check.NotChecked, err.Error())}
	}
	return []check.Result{server.judge(time.Now())}
}

// judge says how wrong this machine's clock is, which says now.
func (c Clock) judge(now time.Time) check.Result {
	off := c.Offset.Abs()
	way := "behind"
	if c.Offset < 0 {
		way = "ahead of"
	}
	r := result("clock", check.OK, "as the API server's")
	if off > lateClock {
		r.Status = check.Warning
		r.Message = fmt.Sprintf("this machine's clock is %v %s the API server's", off.Round(time.Second), way)
		r.Hint = "set the clock: 'timedatectl set-ntp true'"
	}
	if off >= wrongClock || off > lateClock && c.outside(now) {
		r.Status = check.Fault
		r.Evidence = []string{
			"here it is " + now.UTC().Format(time.RFC3339) + ", there " + now.Add(c.Offset).UTC().Format(time.RFC3339)}
	}
	if c.outside(now) && !c.outside(now.Add(c.Offset)) {
		r.Evidence = append(r.Evidence, "the API server's certificate is valid there, and not by this clock")
	}
	return r
}

// outside reports that the certificate is not valid at a time.
func (c Clock) outside(at time.Time) bool {
	return !c.Until.IsZero() && (at.Before(c.From) || at.After(c.Until))
}
