package agent

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/record"
)

// mirror is a claim that gets copies of everything.
func mirror() claim.Claim {
	c := everything()
	c.ID, c.Mirror = "mirror", true
	return c
}

// asked is a request as a server has got it.
type asked struct{ proto, method, target, body string }

// both is a server of HTTP/1 and of HTTP/2 with prior knowledge, and what it is asked.
func both(t *testing.T, name string) (s *server, got chan asked) {
	t.Helper()
	got = make(chan asked, 100)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	serving := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got <- asked{r.Proto, r.Method, r.RequestURI, string(body)}
			w.Header().Set("Set-Cookie", "hunter2")
			io.WriteString(w, name)
		})}
	serving.Protocols.SetHTTP1(true)
	serving.Protocols.SetUnencryptedHTTP2(true)
	var ended sync.WaitGroup
	ended.Go(func() { serving.Serve(listener) })
	t.Cleanup(func() { serving.Close(); ended.Wait() })
	return &server{address: listener.Addr().String()}, got
}

// httpClient speaks HTTP/1, or HTTP/2 with prior knowledge.
func httpClient(t *testing.T, http2 bool) *http.Client {
	transport := &http.Transport{Protocols: new(http.Protocols), MaxConnsPerHost: 1}
	transport.Protocols.SetHTTP1(!http2)
	transport.Protocols.SetUnencryptedHTTP2(http2)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: soon}
}

// tap has the agent tell of requests until the test is over.
func (w *world) tap(l *laptop, wanted wire.Tap) <-chan wire.Record {
	records := make(chan wire.Record, 100)
	ctx, stop := context.WithCancel(context.Background())
	var tapping sync.WaitGroup
	tapping.Go(func() {
		if err := l.link.Tap(ctx, wanted, func(r wire.Record) { records <- r }); err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(func() { stop(); tapping.Wait() })
	return records
}

func TestLookingOn(t *testing.T) {
	t.Parallel()
	origin, askedOrigin := both(t, "origin")
	local, askedLocal := both(t, "local")
	w := newWorld(t, greet("unused"), func(a *Agent) { a.Config.Ports[0].Origin = origin.address })
	looker := w.hold(mirror(), to(local))
	ann := personal("ann", 1)
	w.hold(ann, to(web(t, "ann")))
	records := w.tap(looker, wire.Tap{Options: record.Options{Headers: true, Bodies: 3}})
	w.eventually(func() bool { // until the tap stands
		response, err := httpClient(t, false).Get("http://" + w.address("tcp", "", port) + "/first")
		require.NoError(t, err)
		response.Body.Close()
		<-askedOrigin
		<-askedLocal
		return len(records) > 0
	})
	next := func() wire.Record {
		for {
			if r := <-records; r.Target != "/first" { // of which there may be more to come
				return r
			}
		}
	}
	for _, http2 := range []bool{false, true} {
		for _, body := range []io.Reader{strings.NewReader("hello"), io.MultiReader(strings.NewReader("hello"))} { // chunked
			request, err := http.NewRequest(http.MethodPut, "http://"+w.address("tcp", "", port)+"/x?token=hunter2", body)
			require.NoError(t, err)
			request.Header.Set("Authorization", "hunter2")
			response, err := httpClient(t, http2).Do(request)
			require.NoError(t, err)
			answer, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			response.Body.Close()
			require.Equal(t, "origin", string(answer))
			want := <-askedOrigin
			require.Equal(t, "hello", want.body)
			require.Equal(t, want, <-askedLocal, "the copy is the request")
			r := next()
			require.Equal(t, "PUT /x?token=***", r.What())
			require.Equal(t, "200", r.Outcome())
			require.Equal(t, wire.Origin, r.By)
			require.EqualValues(t, []int64{5, 6}, []int64{r.Received, r.Sent})
			require.Equal(t, "hel", string(r.RequestBody))
			require.Equal(t, "ori", string(r.AnswerBody))
			require.NotContains(t, r.RequestHeader, "hunter2")
			require.NotContains(t, r.AnswerHeader, "hunter2")
			require.True(t, slices.ContainsFunc(r.AnswerHeader, func(f record.Field) bool { return f.Value == "***" }))
		}
	}
	who, _ := w.askAs(httpClient(t, false), "ann")
	require.Equal(t, "ann", who)
	require.Equal(t, http.MethodPost, (<-askedLocal).method, "a copy, whoever answers")
	require.Equal(t, "ann@laptop", next().By)
	w.eventually(func() bool { return w.askStatus().Claims[1].Requests >= 5 })
}

func TestAMirrorOfAWholeConnection(t *testing.T) {
	t.Parallel()
	said := make(chan string, 1)
	local := serve(t, func(conn duplex.TCP) {
		got, _ := io.ReadAll(conn)
		said <- string(got)
		io.WriteString(conn, "dropped")
	})
	w := newWorld(t, echo(nil))
	w.hold(mirror(), to(local))
	client := w.client()
	io.WriteString(client, "\x00no HTTP")
	client.CloseWrite()
	got, err := io.ReadAll(client)
	require.NoError(t, err)
	require.Equal(t, "\x00no HTTP", string(got))
	require.Equal(t, "\x00no HTTP", <-said)
}
