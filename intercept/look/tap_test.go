package look_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/look"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/proxy"
	"github.com/devtun/devtun/tunnel/record"
)

// tap begins a tap, until the test is over or end is called.
func (w *world) tap(wanted wire.Tap, take func(wire.Record)) (end func()) {
	ctx, stop := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	reading.Go(func() {
		if err := w.laptop.Tap(ctx, wanted, take); err != nil {
			w.t.Error(err)
		}
	})
	end = func() { stop(); reading.Wait() }
	w.t.Cleanup(end)
	w.eventually(func() bool { return !w.hub.Idle() })
	return end
}

func TestTap(t *testing.T) {
	w := newWorld(t, "")
	require.True(t, w.hub.Idle())
	require.Nil(t, w.hub.Begin(http1("GET / HTTP/1.1"), look.About{Port: port}), "nobody looks on")
	got := make(chan wire.Record, 10)
	end := w.tap(wire.Tap{Options: record.Options{Headers: true, Bodies: 4}}, func(r wire.Record) { got <- r })
	w.carry(http1("POST /a HTTP/1.1\nCookie: hunter2\nX-A: 1"), look.About{Client: "10.0.0.1:5"}, nil, "abcdef")
	r := <-got
	require.Equal(t, "POST /a", r.What())
	require.Equal(t, "200", r.Outcome())
	require.Equal(t, wire.Origin, r.By)
	require.Equal(t, "10.0.0.1:5", r.Client)
	require.Equal(t, port, r.Port)
	require.EqualValues(t, 6, r.Received)
	require.Equal(t, []record.Field{{Name: "Cookie", Value: "***"}, {Name: "X-A", Value: "1"}}, r.RequestHeader)
	require.Equal(t, "abcd", string(r.RequestBody))
	require.Equal(t, "the ", string(r.AnswerBody))
	require.Equal(t, []record.Field{{Name: "Server", Value: "origin"}}, r.AnswerHeader)

	w.carry(http1("GET /b HTTP/1.1"), look.About{By: &claim.Claim{User: "bob", Machine: "blue"}}, nil)
	require.Equal(t, "bob@blue", (<-got).By)
	w.carry(&proxy.Request{Protocol: proxy.TLS}, look.About{}, nil, "xyz")
	r = <-got
	require.Equal(t, "TLS connection", r.What())
	end()
	w.eventually(w.hub.Idle)
}

func TestSeveralLookOn(t *testing.T) {
	local := raw(t, "\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n", nil)
	w := newWorld(t, local.address)
	all, own, some := make(chan wire.Record, 10), make(chan wire.Record, 10), make(chan wire.Record, 10)
	w.tap(wire.Tap{}, func(r wire.Record) { all <- r })
	w.tap(wire.Tap{Own: true}, func(r wire.Record) { own <- r })
	w.tap(wire.Tap{Rule: claim.Rule{Path: "/api/"}, Ports: []int{port}}, func(r wire.Record) { some <- r })
	m := w.mirror(claim.Claim{ID: "ann", Mirror: true})
	ann, bob := &claim.Claim{ID: "ann"}, &claim.Claim{ID: "bob"}
	probe := func(path string, by *claim.Claim) {
		w.carry(http1("GET "+path+" HTTP/1.1"), look.About{By: by}, nil)
	}
	w.eventually(func() bool { // all three taps stand
		probe("/api/", ann)
		return len(all) > 0 && len(own) > 0 && len(some) > 0
	})
	drain := func(c chan wire.Record) {
		for len(c) > 0 {
			<-c
		}
	}
	copied, _ := m.Counts()
	w.eventually(func() bool { now, _ := m.Counts(); return now >= copied })
	drain(own)
	drain(some)
	probe("/x", bob)
	probe("/api/last", bob)
	probe("/last", ann)
	require.Eventually(t, func() bool { return (<-own).Target == "/last" }, soon, 1)
	require.Eventually(t, func() bool { return (<-some).Target == "/api/last" }, soon, 1)
	require.Eventually(t, func() bool { return (<-all).Target == "/last" }, soon, 1)
}

// TestATapThatIsSlow drops what it cannot keep, and counts it.
func TestATapThatIsSlow(t *testing.T) {
	w := newWorld(t, "")
	release := make(chan struct{})
	var mu sync.Mutex
	told, dropped := 0, 0
	w.tap(wire.Tap{Options: record.Options{Bodies: 64 << 10}}, func(r wire.Record) {
		<-release
		mu.Lock()
		defer mu.Unlock()
		told++
		dropped += r.Dropped
	})
	large := string(make([]byte, 64<<10))
	const all = 1000 // of 64 KiB
	for range all {
		w.carry(http1("POST / HTTP/1.1"), look.About{}, nil, large)
	}
	close(release)
	w.eventually(func() bool {
		w.carry(http1("GET / HTTP/1.1"), look.About{}, nil) // with which the rest is told
		mu.Lock()
		defer mu.Unlock()
		return told+dropped > all && dropped > 0
	})
}

func TestATapOfNoRule(t *testing.T) {
	w := newWorld(t, "")
	err := w.laptop.Tap(t.Context(), wire.Tap{Rule: claim.Rule{Path: "~("}}, func(wire.Record) {})
	require.Error(t, err)
}

// TestManyRecordsAreToldTogether: who was told just now is told of the next ones a moment later,
// of all at once.
func TestManyRecordsAreToldTogether(t *testing.T) {
	w := newWorld(t, "")
	const all = 30
	got := make(chan wire.Record, all)
	w.tap(wire.Tap{}, func(r wire.Record) { got <- r })
	began := time.Now()
	w.carry(http1("GET /alone HTTP/1.1"), look.About{}, nil)
	require.Equal(t, "/alone", (<-got).Target)
	for range all {
		w.carry(http1("GET /many HTTP/1.1"), look.About{}, nil)
	}
	for range all {
		require.Equal(t, "/many", (<-got).Target)
		require.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
	}
}
