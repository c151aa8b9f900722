package e2e

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/devtun/devtun/e2e/loader/record"
)

// teamGrace is how long agents keep the claim of a colleague who was killed.
const teamGrace = "--grace=10s"

// team is who is or was there, by key. A colleague who comes again has another key, and
// nobody has that of one who has gone.
type team struct {
	*namespace
	starting chan struct{} // holds a place for each who may start at a time

	mu      sync.Mutex
	seats   []string // the key of each that was last there
	members map[string]*colleague
	counts  map[string]int // of what happened
}

// newTeam has seats for so many.
func newTeam(n *namespace, seats int) *team {
	return &team{namespace: n, starting: make(chan struct{}, 2), seats: make([]string, seats),
		members: make(map[string]*colleague), counts: make(map[string]int)}
}

// joins has somebody new take a seat.
func (m *team) joins(seat, round int) (*colleague, error) {
	m.starting <- struct{}{}
	defer func() { <-m.starting }()
	c := expects(fmt.Sprintf("dev-%d-%d", seat, round), teamGrace)
	m.mu.Lock()
	m.seats[seat], m.members[c.key] = c.key, c
	m.mu.Unlock()
	m.counted("joined")
	return c, c.joins(m.namespace)
}

func (m *team) counted(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts[what]++
}

// keys are those that are asked for: each seat's, and, for a quarter of all requests, none.
func (m *team) keys() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append(make([]string, 1+len(m.seats)/3), m.seats...)
}

// history is a key's; nobody has an empty one.
func (m *team) history(key string) *history {
	m.mu.Lock()
	defer m.mu.Unlock()
	if key == "" {
		return new(history)
	}
	return &m.members[key].history
}

// comesAndGoes has a seat's colleague stay, be killed or leave, and somebody else come,
// until ctx ends. Somebody is there then.
func (m *team) comesAndGoes(ctx context.Context, c *colleague, seat int, stay time.Duration) error {
	chance := rand.New(rand.NewPCG(14, uint64(seat)))
	upTo := func(most time.Duration) time.Duration {
		return most/5 + time.Duration(chance.Int64N(int64(most-most/5)))
	}
	for round := 1; ; round++ {
		if pauses(ctx, upTo(stay)) != nil {
			return nil
		}
		end, what := c.leaves, "left"
		if chance.IntN(2) == 0 {
			end, what = c.crashes, "killed"
		}
		m.counted(what)
		if err := end(); err != nil {
			return err
		}
		_ = pauses(ctx, upTo(stay/4)) // all are there in the end
		var err error
		if c, err = m.joins(seat, round); err != nil {
			return err
		}
	}
}

// pauses waits, unless ctx ends.
func pauses(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestATeamSharesAService: developers join, leave and are killed, and no request but that
// of one who was just killed fails or is answered by somebody else. It makes a hundred requests
// a second itself: beside other tests its process waited for a processor for seconds, while the
// loader in the cluster had all its answers.
//
//e2e:alone
func TestATeamSharesAService(t *testing.T) {
	aTeamSharesAService(t, 5, 100, 15*time.Second, 5*time.Second)
}

// aTeamSharesAService has so many developers share it, so many requests a second be made
// for a while, and each stay for at most so long at a time, but for the first one: with
// one who is always there the agents stay, and clients keep their connections.
func aTeamSharesAService(t *testing.T, developers, perSecond int, during, stay time.Duration) {
	n := newNamespace(t).testserver("web", 2)
	before := n.trace()
	l := n.loaderOf("http://web/who", "http://web/who") // without a key, from before the first to after the last
	team := newTeam(n, developers)
	began := time.Now()
	first := make([]*colleague, developers)
	var gathering errgroup.Group
	for seat := range developers {
		join := func() (err error) {
			first[seat], err = team.joins(seat, 0)
			return err
		}
		if seat == 0 { // whose agents the others share
			require.NoError(t, join())
			continue
		}
		gathering.Go(join)
	}
	require.NoError(t, gathering.Wait())
	t.Logf("%d developers were there after %v", developers, time.Since(began).Round(time.Millisecond))

	ctx, cancel := context.WithTimeout(t.Context(), during)
	defer cancel()
	load := n.newMix(team.keys)
	working, workingCtx := errgroup.WithContext(ctx)
	working.Go(func() error {
		load.run(workingCtx, perSecond)
		return nil
	})
	for seat := 1; seat < developers; seat++ {
		working.Go(func() error { return team.comesAndGoes(workingCtx, first[seat], seat, stay) })
	}
	assert.NoError(t, working.Wait()) // what became of the requests tells more
	byOrigin, byDeveloper := judge(t, load.asked(), team.history)
	t.Logf("what happened: %v; answers of the origin: %v, of developers: %v", team.counts, byOrigin, byDeveloper)
	assert.GreaterOrEqual(t, len(load.asked()), int(during.Seconds())*perSecond*9/10)
	for _, what := range []string{"left", "killed"} {
		assert.NotZero(t, team.counts[what], what)
	}
	for _, protocol := range load.protocols {
		assert.NotZero(t, byOrigin[protocol], protocol)
		assert.NotZero(t, byDeveloper[protocol], protocol)
	}
	assert.NotZero(t, byDeveloper[first[0].key])

	var leave []func() error
	for _, key := range slices.Sorted(maps.Keys(team.members)) {
		if c := team.members[key]; !c.over() {
			leave = append(leave, c.leaves)
		}
	}
	require.Len(t, leave, developers)
	require.NoError(t, together(leave...))
	n.asTraced(before) // once the claims of those who were killed have ended
	n.noAgents()
	l.onlyTheOrigin("from the first to the last")
}

// onlyTheOrigin wants all so far to be answered by the origin, service web's pods.
func (l *traffic) onlyTheOrigin(about string) {
	l.t.Helper()
	l.last(2 * perSecond)
	elsewhere := slices.ContainsFunc(l.all, func(a record.Answer) bool {
		return a.Failed == "" && !strings.HasPrefix(a.Said, originSays)
	})
	require.False(l.t, elsewhere, about)
	require.Zero(l.t, l.lost(about))
}
