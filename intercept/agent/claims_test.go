package agent

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/wire"
)

// stored is a plan as agents see it.
type stored struct {
	mu      sync.Mutex
	claims  map[string]claim.Claim
	touched map[string]string
	err     error
	looks   int
	left    []string // claims that an agent has ended
}

func newStored(claims ...claim.Claim) *stored {
	s := &stored{claims: make(map[string]claim.Claim), touched: make(map[string]string)}
	for _, c := range claims {
		s.claims[c.ID] = c
	}
	return s
}

func (s *stored) Claims(context.Context) (Standing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks++
	return Standing{slices.Collect(maps.Values(s.claims)), maps.Clone(s.touched)}, s.err
}

func (s *stored) Leave(_ context.Context, id string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false, s.err
	}
	delete(s.claims, id)
	s.left = append(s.left, id)
	return len(s.claims) == 0, nil
}

func (s *stored) AgentsStand(context.Context) (bool, error) { return true, nil }

func (s *stored) change(by func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	by()
}

func (s *stored) ended() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.left)
}

// restoring has an agent look at a plan, and note that it restores.
func restoring(s *stored, restored *atomic.Bool) func(*Agent) {
	return func(a *Agent) {
		a.Config.Grace = Duration(time.Hour)
		a.Plan = s
		a.Restore = func(_ context.Context, undone func()) error {
			undone()
			restored.Store(true)
			return nil
		}
	}
}

// watched is an agent that listens nowhere.
func watched(t *testing.T, s *stored, restored *atomic.Bool) *Agent {
	a := New(Config{}, slog.New(slog.DiscardHandler))
	restoring(s, restored)(a)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); a.watchClaims(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return a
}

// of is a claim of that grace.
func of(id string, grace time.Duration) claim.Claim {
	return claim.Claim{ID: id, User: id, Machine: "laptop", Grace: claim.Duration(grace)}
}

func TestAClaimEndsAfterItsGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, restored := newStored(of("ann", time.Minute), of("bob", 10*time.Minute)), &atomic.Bool{}
		watched(t, s, restored)
		time.Sleep(time.Minute - time.Nanosecond)
		synctest.Wait()
		require.Empty(t, s.ended())
		time.Sleep(15*time.Second + time.Nanosecond)
		synctest.Wait()
		require.Equal(t, []string{"ann"}, s.ended())
		require.False(t, restored.Load(), "another claim stands")
		time.Sleep(12*time.Minute + leaveTimeout)
		synctest.Wait()
		require.Equal(t, []string{"ann", "bob"}, s.ended())
		require.True(t, restored.Load(), "that was the last")
	})
}

func TestAClaimWhoseDeveloperUsesAnotherAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const grace = 10 * time.Minute
		s, restored := newStored(of("ann", grace)), &atomic.Bool{}
		watched(t, s, restored)
		for n := range 12 { // for longer than the grace
			time.Sleep(plan.TouchEvery(grace))
			s.change(func() { s.touched["ann"] = string(rune('a' + n)) })
			require.Empty(t, s.ended())
		}
		time.Sleep(grace - time.Nanosecond)
		synctest.Wait()
		require.Empty(t, s.ended(), "from the last touch")
		time.Sleep(plan.TouchEvery(grace) + 2*restorePause + leaveTimeout)
		synctest.Wait()
		require.True(t, restored.Load())
	})
}

func TestGraceBeginsAnewWhenTheAPIServerIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const grace = 10 * time.Minute
		s, restored := newStored(of("ann", grace)), &atomic.Bool{}
		watched(t, s, restored)
		synctest.Wait()
		s.change(func() { s.err = errors.New("the API server is away") })
		time.Sleep(20 * grace)
		s.change(func() { s.err = nil })
		time.Sleep(grace - plan.TouchEvery(grace))
		synctest.Wait()
		require.Empty(t, s.ended())
		time.Sleep(2 * grace)
		synctest.Wait()
		require.True(t, restored.Load())
	})
}

func TestAClaimWithoutGraceStandsForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, restored := newStored(of("ann", 0)), &atomic.Bool{}
		watched(t, s, restored)
		time.Sleep(1000 * time.Hour)
		require.Empty(t, s.ended())
	})
}

func TestWhoLeavesLastMayRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, restored := newStored(), &atomic.Bool{}
		watched(t, s, restored)
		time.Sleep(leaveTimeout - time.Nanosecond)
		synctest.Wait()
		require.False(t, restored.Load())
		time.Sleep(time.Second)
		synctest.Wait()
		require.True(t, restored.Load())
	})
}

func TestRestoresWhenThePlanIsGone(t *testing.T) {
	s, restored := newStored(), &atomic.Bool{}
	s.err = plan.ErrNone
	w := newWorld(t, greet("origin"), restoring(s, restored))
	w.eventually(restored.Load)
	w.eventually(w.agent.isDraining)
	c := everything()
	_, err := wire.End{Name: "service-middle", Identity: "4f1c", Claim: &c}.Dial(t.Context(),
		dialTCP(t, w.address("tcp", "127.0.0.1", linkPort)))
	var refusal *wire.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, wire.Restored, refusal.Code)
}

func TestRestoreIsTriedAgain(t *testing.T) {
	s, restored, attempts := newStored(), &atomic.Bool{}, 0
	s.err = plan.ErrNone
	w := newWorld(t, greet("origin"), restoring(s, restored), func(a *Agent) {
		restore := a.Restore
		a.Restore = func(ctx context.Context, undone func()) error {
			if attempts++; attempts == 1 {
				return errors.New("the API server is away")
			}
			return restore(ctx, undone)
		}
	})
	w.eventually(restored.Load)
}

func TestAClaimWithADeveloperStands(t *testing.T) {
	c := everything()
	c.Grace = claim.Duration(200 * time.Millisecond)
	s, restored := newStored(c, of("bob", 0)), &atomic.Bool{}
	w := newWorld(t, greet("origin"), restoring(s, restored))
	l := w.hold(c, to(serve(t, greet("local"))))
	require.Never(t, func() bool { return len(s.ended()) > 0 }, 600*time.Millisecond, 10*time.Millisecond)
	require.Equal(t, "local", w.who())
	l.conn.pause() // as SIGKILL looks if no reset arrives
	w.eventually(func() bool { return len(s.ended()) > 0 })
	l.conn.resume()
	w.eventually(func() bool { return w.who() == "origin" })
	require.False(t, restored.Load(), "another claim stands")
}

// TestAClaimThatOthersHaveEnded is no longer served.
func TestAClaimThatOthersHaveEnded(t *testing.T) {
	c, other := everything(), of("bob", 200*time.Millisecond)
	c.Grace = claim.Duration(200 * time.Millisecond)
	other.Grace = 0
	s, restored := newStored(c, other), &atomic.Bool{}
	w := newWorld(t, greet("origin"), restoring(s, restored))
	l := w.hold(c, to(serve(t, greet("local"))))
	s.change(func() { delete(s.claims, c.ID) })
	w.eventually(func() bool { return w.who() == "origin" })
	<-l.ended
	require.False(t, restored.Load())
}

// TestAClaimThatJoinsWhileItIsLooked is not taken for one that has ended.
func TestAClaimThatJoinsWhileItIsLooked(t *testing.T) {
	w := newWorld(t, greet("origin"))
	before := w.agent.known()
	require.Empty(t, before)
	w.hold(everything(), to(serve(t, greet("local"))))
	w.agent.dropEnded(before, nil) // what was read before it had joined
	require.Equal(t, "local", w.who())
	w.agent.dropEnded(w.agent.known(), nil)
	w.eventually(func() bool { return w.who() == "origin" })
}
