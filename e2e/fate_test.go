package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// fate is what may become of the requests that are a developer's.
type fate int

const (
	origins fate = iota // the origin answers: there is no developer
	eithers             // the origin or the developer answers, who is coming or going
	theirs              // the developer answers
	anyones             // the same as for either, or they fail: the developer has just been killed
)

// history is what may become of the requests with a key, and since when. Whose it is
// writes it, with times that may lie ahead.
type history struct {
	mu    sync.Mutex
	turns []turn
}

type turn struct {
	at time.Time
	to fate
}

// from says what becomes of requests from a time on, later than those that were said.
func (h *history) from(at time.Time, to fate) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turns = append(h.turns, turn{at, to})
}

// during is all that may have become of a request of a time.
func (h *history) during(from, to time.Time) (fates []fate) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := origins
	for _, t := range h.turns {
		if t.at.After(to) {
			break
		}
		if t.at.After(from) {
			fates = append(fates, now)
		}
		now = t.to
	}
	return append(fates, now)
}

// question is one request, and what became of it.
type question struct {
	protocol, key string
	from, to      time.Time
	said          string // who answered
	err           error
}

// originSays begins what the tests' server, as service web, says of itself.
const originSays = "web-"

// errStray is a developer's request that the origin has answered. On a busy machine a link
// may fall silent for a moment, and then that is as it should be; there are few.
var errStray = errors.New("the origin has answered a developer's request")

// errLost is a developer's request that failed while its developer was there. It goes elsewhere
// once when its link falls silent; on a busy machine a link may, twice in a second, and then
// its own request is lost. There are next to none.
var errLost = errors.New("a developer's request was lost")

// judge says what is wrong with the answer; nil if it is as the key's history has it.
func (q question) judge(h *history) error {
	fates := h.during(q.from, q.to)
	may := func(some ...fate) bool {
		return slices.ContainsFunc(fates, func(f fate) bool { return slices.Contains(some, f) })
	}
	about := fmt.Sprintf("%s with key %q at %s, after %v", q.protocol, q.key, q.from.Format("15:04:05.000"),
		q.to.Sub(q.from).Round(time.Millisecond))
	switch {
	case q.err != nil && may(anyones):
	case q.err != nil && q.key != "" && may(theirs):
		return fmt.Errorf("%w: %s: %w", errLost, about, q.err)
	case q.err != nil:
		return fmt.Errorf("%s: failed: %w", about, q.err)
	case q.said == q.key && may(theirs, eithers, anyones):
	case strings.HasPrefix(q.said, originSays) && may(origins, eithers, anyones):
	case strings.HasPrefix(q.said, originSays) && q.key != "":
		return errStray
	default:
		return fmt.Errorf("%s: answered by %q", about, q.said)
	}
	return nil
}

// judge judges all, and counts the answers of the origin and of developers, by protocol
// and by key.
func judge(t *testing.T, all []question, history func(key string) *history) (byOrigin, byDeveloper map[string]int) {
	t.Helper()
	byOrigin, byDeveloper = make(map[string]int), make(map[string]int)
	var wrong []string
	lost, strays, own := 0, 0, 0
	for _, q := range all {
		err := q.judge(history(q.key))
		switch {
		case errors.Is(err, errStray):
			strays++
		case errors.Is(err, errLost) && own < 1+len(all)/2000:
			own++
			t.Log(err)
		case err != nil:
			wrong = append(wrong, err.Error())
		}
		count := byDeveloper
		switch {
		case q.err != nil:
			lost++
			continue
		case strings.HasPrefix(q.said, originSays):
			count = byOrigin
		}
		count[q.protocol]++
		if q.key != "" {
			count[q.key]++
		}
	}
	t.Logf("of %d requests %d failed, %d were their developers' and answered by the origin, and %d had not the fate "+
		"that was theirs", len(all), lost, strays, len(wrong))
	assert.LessOrEqual(t, strays, len(all)/100)
	assert.Empty(t, wrong[:min(len(wrong), 20)])
	return byOrigin, byDeveloper
}

// TestFateOfRequests is about the judge itself.
func TestFateOfRequests(t *testing.T) {
	began := time.Now()
	at := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
	var h history
	for _, turn := range []turn{{at(5), eithers}, {at(10), theirs}, {at(20), anyones}, {at(25), origins}} {
		h.from(turn.at, turn.to)
	}
	failed := fmt.Errorf("it failed")
	for _, c := range []struct {
		from, to int
		said     string
		err      error
		right    bool
	}{
		{0, 1, "web-1", nil, true}, {0, 1, "ann", nil, false}, {0, 1, "bob", nil, false}, {0, 1, "", failed, false},
		{4, 6, "ann", nil, true}, {6, 7, "ann", nil, true}, {6, 7, "web-1", nil, true}, {6, 7, "", failed, false},
		{9, 11, "web-1", nil, true}, {11, 12, "web-1", nil, false}, {11, 12, "ann", nil, true},
		{11, 30, "web-1", nil, true}, {19, 21, "", failed, true}, {22, 23, "web-1", nil, true},
		{22, 23, "bob", nil, false}, {24, 26, "ann", nil, true}, {26, 27, "ann", nil, false}, {26, 27, "", failed, false},
	} {
		q := question{protocol: "HTTP/1", key: "ann", from: at(c.from), to: at(c.to), said: c.said, err: c.err}
		assert.Equal(t, c.right, q.judge(&h) == nil, "%+v", c)
	}
	assert.Error(t, question{said: "ann", from: at(11), to: at(12)}.judge(new(history)), "without a key it is nobody's")
}
