package status

import (
	"context"
	"time"

	"github.com/devtun/devtun/internal/pause"
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
	for {
		changed := t.Changed()
		if tell(t.Snapshot()) != nil || pause.Until(ctx, changed, countEvery) != nil {
			return
		}
		if pause.Sleep(ctx, followPause) != nil { // many changes come together
			return
		}
	}
}
