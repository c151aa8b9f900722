package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// load asks a forward again and again, each time on a new connection.
type load struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	took   []time.Duration
	failed []string
}

// startLoad makes perSecond requests a second to addr until finish.
func startLoad(t *testing.T, addr string, perSecond int) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{cancel: cancel}
	t.Cleanup(func() { cancel(); l.done.Wait() })
	l.done.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				l.done.Go(func() { l.ask(addr) })
			case <-ctx.Done():
				return
			}
		}
	})
	return l
}

// ask makes one request, which may take as long as a connection is held.
func (l *load) ask(addr string) {
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	began := time.Now()
	_, err := who(ctx, addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failed = append(l.failed, fmt.Sprintf("after %v: %v", time.Since(began), err))
	}
	l.took = append(l.took, time.Since(began))
}

// count is how many requests have ended.
func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.took)
}

// finish ends the load, waits for what is under way and wants all of it to have
// succeeded. It returns how long requests took, sorted.
func (l *load) finish(t *testing.T) []time.Duration {
	t.Helper()
	l.cancel()
	l.done.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	require.NotEmpty(t, l.took)
	require.Empty(t, l.failed, "of %d requests", len(l.took))
	slices.Sort(l.took)
	return l.took
}

func percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[(len(sorted)-1)*p/100]
}
