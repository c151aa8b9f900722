package agent

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
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

func TestGraceWhileAnotherAgentIsInUse(t *testing.T) {
	const grace = 400 * time.Millisecond
	c, restored := &touched{word: "0"}, &atomic.Bool{}
	w := newWorld(t, greet("origin"), graced(grace, c, restored))
	touching := time.NewTicker(plan.TouchEvery(grace))
	defer touching.Stop()
	for n := range 12 { // three times the grace period
		<-touching.C
		c.set(string(rune('a'+n)), nil)
		require.False(t, restored.Load())
	}
	last := time.Now()
	w.eventually(restored.Load)
	require.GreaterOrEqual(t, time.Since(last), grace-plan.TouchEvery(grace), "from the last touch, not from the last session")
}

func TestGraceBeginsAnewWhenTheAPIServerIsBack(t *testing.T) {
	const grace = 300 * time.Millisecond
	c, restored := &touched{word: "0", err: errors.New("the API server is away")}, &atomic.Bool{}
	w := newWorld(t, greet("origin"), graced(grace, c, restored))
	w.eventually(func() bool { return c.count() > 8 }) // twice the grace period
	require.False(t, restored.Load())
	c.set("0", nil)
	back := time.Now()
	w.eventually(restored.Load)
	require.GreaterOrEqual(t, time.Since(back), grace-plan.TouchEvery(grace))
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
	l.session.Close()
	w.eventually(func() bool { return c.count() > looks })
	require.False(t, restored.Load())
}
