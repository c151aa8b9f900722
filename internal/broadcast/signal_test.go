package broadcast

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestSignal(t *testing.T) {
	var s Signal
	s.Notify() // nobody waits
	require.False(t, s.Awaited())
	one, two := s.Wait(), s.Wait()
	require.True(t, s.Awaited())
	require.False(t, closed(one))
	s.Notify()
	require.True(t, closed(one))
	require.True(t, closed(two))
	require.False(t, s.Awaited())
	next := s.Wait()
	require.False(t, closed(next), "that is for the next change")
	s.Notify()
	require.True(t, closed(next))
}

// Who waits before looking misses no change.
func TestNoChangeIsMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const changes = 100
		var s Signal
		var mu sync.Mutex
		value := 0
		var waiting sync.WaitGroup
		for range 10 {
			waiting.Go(func() {
				for {
					changed := s.Wait()
					mu.Lock()
					now := value
					mu.Unlock()
					if now == changes {
						return
					}
					<-changed
				}
			})
		}
		for range changes {
			mu.Lock()
			value++
			mu.Unlock()
			s.Notify()
		}
		waiting.Wait() // or synctest says that all are blocked
	})
}
