package agent

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/plan"
)

// touched is what an agent sees of the developer elsewhere.
type touched struct {
	mu    sync.Mutex
	word  string
	err   error
	looks int
}

func (c *touched) look(context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looks++
	return c.word, c.err
}

func (c *touched) set(word string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.word, c.err = word, err
}

func (c *touched) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.looks
}

// graced is an agent that looks at c, and sets restored.
func graced(grace time.Duration, c *touched, restored *atomic.Bool) func(*Agent) {
	return func(a *Agent) {
		a.Config.Grace = Duration(grace)
		a.Touched = c.look
		a.Restore = func(_ context.Context, undone func()) error {
			undone()
			restored.Store(true)
			return nil
		}
	}
}

// watched is an agent that listens nowhere, in the midst of its grace period.
func watched(t *testing.T, grace time.Duration, c *touched, restored *atomic.Bool) {
	a := New(Config{}, slog.New(slog.DiscardHandler))
	graced(grace, c, restored)(a)
	a.developerSeen()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); a.watchGrace(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
}

func TestGraceWhileAnotherAgentIsInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const grace = 10 * time.Minute
		c, restored := &touched{word: "0"}, &atomic.Bool{}
		watched(t, grace, c, restored)
		for n := range 12 { // for longer than the grace period
			time.Sleep(plan.TouchEvery(grace))
			c.set(string(rune('a'+n)), nil)
			require.False(t, restored.Load())
		}
		time.Sleep(grace - time.Nanosecond)
		synctest.Wait()
		require.False(t, restored.Load(), "from the last touch, not from the last link")
		time.Sleep(plan.TouchEvery(grace) + time.Second)
		synctest.Wait()
		require.True(t, restored.Load())
	})
}

func TestGraceBeginsAnewWhenTheAPIServerIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const grace = 10 * time.Minute
		c, restored := &touched{word: "0", err: errors.New("the API server is away")}, &atomic.Bool{}
		watched(t, grace, c, restored)
		time.Sleep(2*grace + time.Second)
		require.Greater(t, c.count(), 3)
		require.False(t, restored.Load())
		c.set("0", nil)
		time.Sleep(grace - plan.TouchEvery(grace))
		synctest.Wait()
		require.False(t, restored.Load())
		time.Sleep(2 * plan.TouchEvery(grace))
		synctest.Wait()
		require.True(t, restored.Load())
	})
}

func TestGraceEndsWhenSomebodyElseHasRestored(t *testing.T) {
	c, restored := &touched{err: plan.ErrNone}, &atomic.Bool{}
	w := newWorld(t, greet("origin"), graced(time.Hour, c, restored))
	w.eventually(restored.Load)
	w.eventually(w.agent.isDraining)
}

func TestGraceWithADeveloper(t *testing.T) {
	c, restored := &touched{word: "0"}, &atomic.Bool{}
	w := newWorld(t, greet("origin"), graced(time.Hour, c, restored))
	l := w.connect(to(serve(t, greet("local"))))
	looks := c.count()
	require.Equal(t, "local", w.who())
	require.LessOrEqual(t, c.count(), looks+1, "nobody needs to look")
	l.link.Close()
	w.eventually(func() bool { return c.count() > looks })
	require.False(t, restored.Load())
}
