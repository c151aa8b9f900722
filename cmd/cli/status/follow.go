package status

import (
	"context"
	"time"
)

const (
	// countEvery is how often those who follow are told of connections and bytes, and
	// followPause the shortest time between two tellings.
	countEvery  = time.Second
	followPause = 50 * time.Millisecond
)

// Follow tells how things stand now and whenever that has changed, until ctx ends or tell
// fails.
func (t *Tracker) Follow(ctx context.Context, tell func(Snapshot) error) {
	look := time.NewTicker(countEvery)
	defer look.Stop()
	for {
		changed := t.Changed()
		if tell(t.Snapshot()) != nil {
			return
		}
		select {
		case <-changed:
		case <-look.C:
		case <-ctx.Done():
			return
		}
		select { // many changes come together
		case <-time.After(followPause):
		case <-ctx.Done():
			return
		}
	}
}
