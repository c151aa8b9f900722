// Package pause waits: for a time, for a change, or between two attempts, and never
// longer than a context lasts.
//
//	backoff := pause.Backoff{Min: 50 * time.Millisecond, Max: 2 * time.Second}
//	for attempt() != nil {
//		if err := backoff.Sleep(ctx); err != nil {
//			return err
//		}
//	}
//
// Whatever waits in this program for a time and a context does it here. The package
// imports the standard library alone, since the agent links it.
package pause

import (
	"context"
	"math"
	"time"
)

// Forever is a time that does not pass.
const Forever time.Duration = math.MaxInt64

// Sleep waits for d. It fails with the cause of ctx's end if that comes first.
func Sleep(ctx context.Context, d time.Duration) error { return Until(ctx, nil, d) }

// Until waits until changed is closed, or holds something, but no longer than d. It
// fails with the cause of ctx's end if that comes first.
func Until(ctx context.Context, changed <-chan struct{}, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// Backoff is the pauses between attempts: Min at first, each twice the one before, and
// Max at most. It is not to be used concurrently.
type Backoff struct {
	Min, Max time.Duration
	last     time.Duration // zero before the first
}

// Next returns the pause that is due.
func (b *Backoff) Next() time.Duration {
	b.last = min(max(2*b.last, b.Min), b.Max)
	return b.last
}

// Sleep waits for the pause that is due. It fails as the function Sleep does.
func (b *Backoff) Sleep(ctx context.Context) error { return Sleep(ctx, b.Next()) }

// Reset begins anew with Min.
func (b *Backoff) Reset() { b.last = 0 }
