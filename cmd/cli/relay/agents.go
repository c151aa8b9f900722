package relay

import (
	"context"
	"slices"
	"sync"

	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/internal/broadcast"
)

// Agents are those of a session's intercepts that serve as the relays of their namespaces.
// The zero value has none yet, and a nil *Agents never has. Its methods may be called
// concurrently.
type Agents struct {
	mu      sync.Mutex
	changed broadcast.Signal
	lent    []*lent
	coming  []string // namespaces, each as often as it is expected
	ending  bool
}

// lent are the agents of one intercept.
type lent struct {
	namespace string
	agents    *intercept.Intercept
	reach     []string // that its claim lists
	over      chan struct{}
}

// Expect says that intercepts are about to be made in namespaces: no relay of its own is
// brought to one of them until their agents are lent, or over is called.
func (a *Agents) Expect(namespaces ...string) (over func()) {
	a.change(func() { a.coming = append(a.coming, namespaces...) })
	return sync.OnceFunc(func() {
		a.change(func() {
			for _, namespace := range namespaces {
				at := slices.Index(a.coming, namespace)
				a.coming = slices.Delete(a.coming, at, at+1)
			}
		})
	})
}

// Lend has the agents of an intercept, of which one is connected, serve as the relay of their
// namespace until back is called. The intercept's claim lists reach.
func (a *Agents) Lend(namespace string, agents *intercept.Intercept, reach []string) (back func()) {
	if a == nil {
		return func() {}
	}
	one := &lent{namespace, agents, reach, make(chan struct{})}
	a.change(func() { a.lent = append(a.lent, one) })
	return sync.OnceFunc(func() {
		a.change(func() {
			if a.ending {
				return
			}
			a.lent = slices.DeleteFunc(a.lent, func(l *lent) bool { return l == one })
			close(one.over)
		})
	})
}

// End says that the session ends: agents that are given back leave a place that is not filled
// any more.
func (a *Agents) End() { a.change(func() { a.ending = true }) }

func (a *Agents) change(by func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	by()
	a.changed.Notify()
}

// expected reports that a namespace's relay is to wait for an intercept that is being made.
func (a *Agents) expected(namespace string) bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Contains(a.coming, namespace)
}

// await returns what serves as a namespace's relay and may connect to all of reach, which it
// waits for as long as that is expected; nil if nothing does.
func (a *Agents) await(ctx context.Context, namespace string, reach []string) *lent {
	if a == nil {
		return nil
	}
	for {
		changed := a.changed.Wait()
		if one := a.find(namespace, reach); one != nil || !a.expected(namespace) {
			return one
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

func (a *Agents) find(namespace string, reach []string) *lent {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.lent {
		if l.namespace == namespace && !slices.ContainsFunc(reach, func(target string) bool {
			return !slices.Contains(l.reach, target)
		}) {
			return l
		}
	}
	return nil
}
