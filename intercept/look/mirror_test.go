package look_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/look"
	"github.com/devtun/devtun/tunnel/proxy"
)

// counts waits until so many copies have been taken and dropped.
func (w *world) counts(m *look.Mirror, copied, dropped int) {
	w.t.Helper()
	require.EventuallyWithT(w.t, func(c *assert.CollectT) {
		gotCopied, gotDropped := m.Counts()
		require.Equal(c, [2]int{copied, dropped}, [2]int{gotCopied, gotDropped})
	}, soon, time.Millisecond)
}

func TestAMirrorOfHTTP1(t *testing.T) {
	for name, c := range map[string]struct {
		head    string
		body    []string
		trailer []proxy.Field
		want    string
	}{
		"without body": {head: "GET /x?y=1 HTTP/1.1\nhost: shop\nX-A: 1\nx-a: 2"},
		"with a body": {head: "PUT / HTTP/1.1\nHost: shop\nContent-Length: 6", body: []string{"abc", "def"},
			want: "abcdef"},
		"in chunks": {head: "POST / HTTP/1.1\nHost: shop\nTransfer-Encoding: chunked\nTrailer: Sum",
			body: []string{"abc", "0123456789abcdef"}, trailer: []proxy.Field{{Name: "Sum", Value: "7"}},
			want: "3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nSum: 7\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r := http1(c.head)
			want := string(r.Raw) + c.want
			local := raw(t, want, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", nil)
			w := newWorld(t, local.address)
			m := w.mirror(claim.Claim{ID: "ann", Mirror: true})
			w.carry(r, look.About{}, c.trailer, c.body...)
			w.counts(m, 1, 0)
			require.Equal(t, want, local.got())
			require.EqualValues(t, 1, w.requests.Load())
		})
	}
}

func TestAMirrorOfHTTP2(t *testing.T) {
	address, got := h2c(t)
	w := newWorld(t, address)
	m := w.mirror(claim.Claim{ID: "ann", Mirror: true})
	r := &proxy.Request{Protocol: proxy.HTTP2, Method: "POST", Target: "/shop.Orders/Get?x=%zz", Authority: "shop:80",
		Scheme: "http", Header: []proxy.Field{{Name: "content-type", Value: "application/grpc"},
			{Name: "te", Value: "trailers"}, {Name: "x-a", Value: "1"}, {Name: "x-a", Value: "2"},
			{Name: "trailer", Value: "sum"}}}
	w.carry(r, look.About{}, []proxy.Field{{Name: "sum", Value: "7"}}, "abc", "def")
	w.carry(&proxy.Request{Protocol: proxy.HTTP2, Method: "GET", Target: "/", Authority: "shop"}, look.About{}, nil)
	w.counts(m, 2, 0)
	requests := []*http.Request{<-got, <-got}
	slices.SortFunc(requests, func(a, b *http.Request) int { return strings.Compare(b.Method, a.Method) })
	first, second := requests[0], requests[1]
	require.Equal(t, "POST /shop.Orders/Get?x=%zz shop:80", first.Method+" "+first.RequestURI+" "+first.Host)
	body, _ := io.ReadAll(first.Body)
	require.Equal(t, "abcdef", string(body))
	require.Equal(t, http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "X-A": {"1", "2"}},
		first.Header)
	require.Equal(t, http.Header{"Sum": {"7"}}, first.Trailer)
	require.Equal(t, "GET / shop", second.Method+" "+second.RequestURI+" "+second.Host)
	require.Empty(t, second.Header)
	require.Zero(t, second.ContentLength)
}

func TestAMirrorOfWholeConnections(t *testing.T) {
	local := raw(t, "", "bye", nil)
	w := newWorld(t, local.address)
	m := w.mirror(claim.Claim{ID: "ann", Mirror: true})
	w.carry(&proxy.Request{Protocol: proxy.Other}, look.About{}, nil, "SET a 1\n", "GET a\n")
	w.counts(m, 1, 0)
	require.Equal(t, "SET a 1\nGET a\n", local.got())
}

func TestAMirrorGetsWhatItsRuleMatches(t *testing.T) {
	local := raw(t, "\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n", nil)
	w := newWorld(t, local.address)
	m := w.mirror(claim.Claim{ID: "ann", Mirror: true, Ports: []int{port},
		Rule: claim.Rule{Path: "/api/", Methods: []string{"GET"}}})
	other := &claim.Claim{ID: "bob", User: "bob"}
	w.carry(http1("GET /api/1 HTTP/1.1"), look.About{}, nil)
	w.carry(http1("GET /api/2 HTTP/1.1"), look.About{By: other}, nil) // whoever answers
	w.carry(http1("GET /x HTTP/1.1"), look.About{}, nil)
	w.carry(http1("PUT /api/3 HTTP/1.1"), look.About{}, nil)
	w.carry(&proxy.Request{Protocol: proxy.Other}, look.About{}, nil)
	require.Nil(t, w.hub.Begin(http1("GET /api/1 HTTP/1.1"), look.About{Port: 1}))
	w.counts(m, 2, 0)
	require.Equal(t, 2, strings.Count(local.got(), "GET /api/"))
}

func TestAMirrorWithoutALocalProcess(t *testing.T) {
	w := newWorld(t, "127.0.0.1:1")
	m := w.mirror(claim.Claim{ID: "ann", Mirror: true})
	w.carry(http1("GET / HTTP/1.1"), look.About{}, nil) // it refuses
	w.counts(m, 0, 1)
	w.open.Store(false)
	require.Nil(t, w.hub.Begin(http1("GET / HTTP/1.1"), look.About{Port: port}), "it costs nothing")
	w.counts(m, 0, 2)
}

// TestAMirrorThatIsStopped has a process that takes connections and reads nothing.
func TestAMirrorThatIsStopped(t *testing.T) {
	release := make(chan struct{})
	local := raw(t, "!", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", release)
	goOn := sync.OnceFunc(func() { close(release) })
	t.Cleanup(goOn)
	w := newWorld(t, local.address)
	m := w.mirror(claim.Claim{ID: "ann", Mirror: true})
	large := strings.Repeat("x", 64<<10)
	head := fmt.Sprintf("POST / HTTP/1.1\nContent-Length: %d", 16*len(large)+1)
	began, all, dropped := time.Now(), 0, 0
	for ; dropped == 0 && all < 400; all++ { // sockets and windows hold many
		o := w.hub.Begin(http1(head), look.About{Port: port})
		for range 16 {
			if o != nil {
				o.RequestBody([]byte(large))
			}
		}
		if o != nil {
			o.RequestBody([]byte("!"))
			o.RequestEnd(nil)
			o.End(nil)
		}
		_, dropped = m.Counts()
	}
	require.Less(t, time.Since(began), soon, "nobody has waited")
	require.Positive(t, dropped)
	goOn()
	w.eventually(func() bool {
		copied, dropped := m.Counts()
		return copied+dropped == all && copied > 0
	})
	w.carry(http1("POST / HTTP/1.1\nContent-Length: 1"), look.About{}, nil, "!") // it goes on
	copied, _ := m.Counts()
	w.eventually(func() bool { now, _ := m.Counts(); return now > copied || now+dropped > all })
}

func TestAMirrorOfARequestThatBreaksOff(t *testing.T) {
	local := raw(t, "", "", nil)
	w := newWorld(t, local.address)
	m := w.mirror(claim.Claim{ID: "ann", Mirror: true})
	o := w.hub.Begin(http1("POST / HTTP/1.1\nContent-Length: 9"), look.About{Port: port})
	o.RequestBody([]byte("abc"))
	o.End(net.ErrClosed)
	w.eventually(func() bool { return strings.HasSuffix(local.got(), "abc") || w.requests.Load() == 1 })
	w.counts(m, 0, 0)
}

func TestAMirrorEndsWithItsLink(t *testing.T) {
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	local := raw(t, "!", "", release)
	w := newWorld(t, local.address)
	m := w.mirror(claim.Claim{ID: "ann", Mirror: true})
	o := w.hub.Begin(http1("POST / HTTP/1.1\nContent-Length: 9"), look.About{Port: port})
	w.eventually(func() bool { return w.requests.Load() == 1 })
	w.agent.Close()
	w.counts(m, 0, 1)
	o.RequestBody([]byte("late"))
	o.End(nil)
	require.Nil(t, w.hub.Begin(http1("GET / HTTP/1.1"), look.About{Port: port}))
}
