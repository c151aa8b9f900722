package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// answered asks service web with a key, over every protocol on a new connection, and
// wants whoever says that to answer.
func (n *namespace) answered(key, says string) {
	n.t.Helper()
	for protocol, ask := range map[string]asker{
		"HTTP/1": n.askHTTP(http1, true), "HTTP/2": n.askHTTP(http2, false), "gRPC": n.askRPC(),
	} {
		ctx, cancel := context.WithTimeout(n.t.Context(), loaderTimeout)
		said, err := ask(ctx, key)
		cancel()
		require.NoError(n.t, err, "%s with key %q", protocol, key)
		require.Contains(n.t, said, says, "%s with key %q", protocol, key)
	}
}

// TestTwoJoinAtOnce: neither is refused, whoever of them is the first; they leave in the
// same moment, and whoever of them is the last restores.
func TestTwoJoinAtOnce(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	before := n.trace()
	l := n.loaderOf("http://web/who", "http://web/who")
	for round := range 3 {
		ann, bob := expects(fmt.Sprintf("ann-%d", round)), expects(fmt.Sprintf("bob-%d", round))
		ann.begins(n)
		bob.begins(n)
		require.NoError(t, together(ann.arrives, bob.arrives))
		n.answered(ann.key, ann.key)
		n.answered(bob.key, bob.key)
		n.answered("", originSays)
		n.answered("carol", originSays)
		require.NoError(t, together(ann.leaves, bob.leaves))
		n.asTraced(before)
	}
	n.noAgents()
	l.onlyTheOrigin("two came and went at once")
}

// TestOneLeavesWhileAnotherJoins: whoever leaves is the last, or no longer, by when it
// does. Who finds the intercept being restored begins anew.
func TestOneLeavesWhileAnotherJoins(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	before := n.trace()
	l := n.loaderOf("http://web/who", "http://web/who")
	one := expects("dev-0")
	require.NoError(t, one.joins(n))
	for round := range 3 {
		another := expects(fmt.Sprintf("dev-%d", round+1))
		another.begins(n)
		require.NoError(t, together(another.arrives, func() error {
			<-time.After(time.Duration(round) * 400 * time.Millisecond)
			return one.leaves()
		}))
		n.answered(another.key, another.key)
		n.answered(one.key, originSays)
		n.answered("", originSays)
		one = another
	}
	require.NoError(t, one.leaves())
	n.asTraced(before)
	n.noAgents()
	l.onlyTheOrigin("one came, one went")
}

// TestJoiningKilledAtRequests has devtun die of each of its changes, while it joins and
// leaves what somebody else holds. They notice nothing.
func TestJoiningKilledAtRequests(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	before := n.trace()
	l := n.loaderOf("http://web/who", "http://web/who")
	bob := expects("bob")
	bob.user = newUser(t, noRule)
	require.NoError(t, bob.joins(n))
	reaper := newReaper(t)
	args := append([]string{"intercept", "web", "-n", n.name, "--no-forward", "--personal=ann"},
		newNamedProcess(t, "ann").flags()...)
	for k := 1; ; k++ {
		d := reaper.launch(k, args...)
		if d.stands() {
			n.answered("bob", "bob")
			d.cmd.Process.Signal(os.Interrupt) // it may die first: it also changes things while it stands
		}
		code, complaint := d.ends()
		cause := reaper.cause()
		if cause == "" {
			require.Zero(t, code, complaint)
			require.Greater(t, k, 2, "it was killed when it had joined, and when it had left")
			break
		}
		t.Logf("killed after change %d, %s", k, cause)
		_, complaint, code = n.devtun("restore", "web")
		require.Contains(t, []int{0, exitConflict}, code, complaint) // exitConflict: all that stands is bob's
		require.Len(t, n.claims(t), 1)
		n.answered("bob", "bob")
		n.answered("ann", originSays)
	}
	n.answered("bob", "bob")
	require.NoError(t, bob.leaves())
	n.asTraced(before)
	n.noAgents()
	l.onlyTheOrigin("somebody was killed beside another")
}

// TestADeveloperIsBlackHoled: what is sent there is not refused, it is not heard of again.
// The origin answers instead, and the others notice nothing.
func TestADeveloperIsBlackHoled(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	before := n.trace()
	ann, bob := expects("ann", "--grace=2m"), expects("bob", "--grace=2m")
	require.NoError(t, ann.joins(n))
	require.NoError(t, bob.joins(n))
	load := n.newMix(func() []string { return []string{"", "ann", "bob"} })
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { load.run(ctx, 60) })
	defer running.Wait()
	defer stop()

	load.passes(t, time.Now().Add(time.Second))
	require.NoError(t, ann.freezes())
	load.passes(t, time.Now().Add(2*soonEnough))
	require.NoError(t, ann.thaws())
	fresh := n.askHTTP(http1, true)
	require.Eventually(t, func() bool {
		for range 10 { // of every agent
			ctx, cancel := context.WithTimeout(t.Context(), loaderTimeout)
			said, err := fresh(ctx, "ann")
			cancel()
			if err != nil || said != "ann" {
				return false
			}
		}
		return true
	}, time.Minute, pollEvery, "ann is back")
	ann.from(time.Now(), theirs)
	load.passes(t, time.Now().Add(2*time.Second))
	stop()
	running.Wait()

	byOrigin, byDeveloper := judge(t, load.asked(), func(key string) *history {
		if c := map[string]*colleague{"ann": ann, "bob": bob}[key]; c != nil {
			return &c.history
		}
		return new(history)
	})
	require.NotZero(t, byOrigin["ann"])
	require.Zero(t, byOrigin["bob"])
	require.NotZero(t, byDeveloper["ann"])
	require.NotZero(t, byDeveloper["bob"])
	require.NoError(t, together(ann.leaves, bob.leaves))
	n.asTraced(before)
	n.noAgents()
}

// claimed is what `devtun list` says of a claim.
type claimed struct {
	Owner     struct{ User, Machine string }
	Rule      json.RawMessage
	Connected string
	Requests  int
}

// claims lists them, by their owners.
func (n *namespace) claims(t require.TestingT) map[string]claimed {
	out, complaint, code := n.devtun("list", "-o", "json")
	require.Zero(t, code, complaint)
	rows := make(map[string]claimed)
	for line := range strings.Lines(out) {
		var row claimed
		require.NoError(t, json.Unmarshal([]byte(line), &row), line)
		rows[row.Owner.User] = row
	}
	return rows
}

// mark is what an answer says of who gave it.
func (n *namespace) mark(set func(*http.Protocols), key string) string {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), loaderTimeout)
	defer cancel()
	request, err := webRequest(ctx, key)
	require.NoError(n.t, err)
	answer, err := n.webClient(set, true).RoundTrip(request)
	require.NoError(n.t, err)
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	require.NoError(n.t, err)
	require.Equal(n.t, key+"\n", string(said))
	return strings.Join(answer.Header.Values("Devtun"), ",")
}

// TestClaimsAreListedAndTakenOut by three people: two with a rule, and one who takes the
// remainder.
func TestClaimsAreListedAndTakenOut(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	before := n.trace()
	machine, err := os.Hostname()
	require.NoError(t, err)
	ann, bob, carol := expects("ann", "--mark"), expects("bob"), &colleague{key: "carol"}
	bob.user, carol.user = newUser(t, noRule), newUser(t, noRule)
	for _, c := range []*colleague{ann, bob, carol} {
		require.NoError(t, c.joins(n))
	}
	n.answered("ann", "ann")
	n.answered("bob", "bob")
	n.answered("", "carol")
	n.answered("zoe", "carol")

	requests := map[string]int{"root": 3, bob.user.name: 3, carol.user.name: 6}
	rules := map[string]string{"root": "devtun=ann", bob.user.name: "devtun=bob", carol.user.name: ""}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		rows := n.claims(c)
		assert.Len(c, rows, 3)
		for user, row := range rows {
			assert.Equal(c, machine, row.Owner.Machine, user)
			assert.Contains(c, string(row.Rule), rules[user], user)
			assert.Equal(c, "yes", row.Connected, user)
			assert.Equal(c, requests[user], row.Requests, user)
		}
	}, time.Minute, pollEvery)
	table, complaint, code := n.devtun("list")
	require.Zero(t, code, complaint)
	lines := strings.Split(strings.TrimSpace(table), "\n")
	require.Len(t, lines, 4, table)
	for _, column := range []string{"OWNER", "MACHINE", "RULE", "CONNECTED", "REQUESTS", "TRAFFIC"} {
		require.Contains(t, lines[0], column)
	}

	for _, set := range []func(*http.Protocols){http1, http2} {
		require.Equal(t, "root@"+machine, n.mark(set, "ann"))
		require.Empty(t, n.mark(set, "bob"), "nobody has asked for it")
	}

	// refused has a claim of somebody's be in the way of another.
	refused := func(owner string, flags ...string) {
		t.Helper()
		_, complaint, code := n.devtun("intercept", append([]string{"web", "--no-forward"}, flags...)...)
		message, _ := complained(t, complaint)
		require.Equal(t, exitRefused, code, complaint)
		require.Contains(t, message, owner)
		require.Contains(t, message, machine)
	}
	refused(carol.user.name)                                 // two cannot have everything
	refused("root", "--personal=ann")                        // the same
	refused(bob.user.name, "--personal=bob", "--path=/api/") // which is bob's already
	require.Len(t, n.claims(t), 3)

	dave := &colleague{key: "dave", flags: []string{"--header=x-tester~^7"}}
	require.NoError(t, dave.joins(n))
	dave.await("a word about who is asked first", soon, func(e event) bool {
		return strings.Contains(e.Message, "first") && strings.Contains(e.Message, bob.user.name)
	})
	refused("root", "--header=x-tester=7") // which the regular expression matches
	require.NoError(t, dave.leaves())

	require.NoError(t, ann.crashes())
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		rows := n.claims(c)
		assert.Equal(c, "no", rows["root"].Connected)
		assert.Equal(c, "yes", rows[bob.user.name].Connected)
	}, time.Minute, pollEvery)
	_, complaint, code = n.devtun("restore", "web")
	require.Zero(t, code, complaint)
	require.NotContains(t, n.claims(t), "root")
	n.answered("ann", "carol")
	n.answered("bob", "bob")

	_, complaint, code = n.devtun("restore", "web")
	_, hint := complained(t, complaint)
	require.Equal(t, exitConflict, code, complaint)
	require.Contains(t, complaint, bob.user.name)
	require.Contains(t, hint, "--all")
	require.Len(t, n.claims(t), 2)

	out, complaint, code := n.devtun("restore", "web", "--all")
	require.Zero(t, code, complaint)
	for _, c := range []*colleague{bob, carol} {
		require.Contains(t, out+complaint, c.user.name, "it says whose they were")
		code, complaint := c.ends()
		require.NotZero(t, code, "whoever held it is told: %s", complaint)
	}
	n.asTraced(before)
	n.noAgents()
}
