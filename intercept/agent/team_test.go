package agent

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/wire"
)

// personal is a claim for one tester's requests.
func personal(key string, order int) claim.Claim {
	return claim.Claim{
		ID: key, User: key, Machine: "laptop", Order: order, Ports: []int{port},
		Rule: claim.Rule{Headers: []claim.Header{claim.Personal(key)}},
	}
}

// askAs asks with a key, "" for none, on a kept connection of the client's.
func (w *world) askAs(client *http.Client, key string) (who string, header http.Header) {
	w.t.Helper()
	request, err := http.NewRequest(http.MethodPost, "http://"+w.address("tcp", "", port)+"/", http.NoBody)
	require.NoError(w.t, err)
	if key != "" {
		request.Header.Set("Baggage", "tenant=3, devtun="+key)
	}
	response, err := client.Do(request)
	require.NoError(w.t, err)
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	require.NoError(w.t, err)
	return string(said), response.Header
}

func TestATeam(t *testing.T) {
	t.Parallel()
	origin := web(t, "origin")
	w := newWorld(t, greet("unused"), func(a *Agent) { a.Config.Ports[0].Origin = origin.address })
	ann := w.hold(personal("ann", 1), to(web(t, "ann")))
	marked := personal("bob", 2)
	marked.Mark = true
	w.hold(marked, to(web(t, "bob")))
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}, Timeout: soon}
	t.Cleanup(client.CloseIdleConnections)
	expect := func(who ...string) {
		t.Helper()
		for i, key := range []string{"", "ann", "bob", "carl", "ann", ""} {
			got, header := w.askAs(client, key)
			require.Equal(t, who[i], got, "with key %q", key)
			mark := ""
			if got == "bob" {
				mark = "bob@laptop"
			}
			require.Equal(t, mark, header.Get("Devtun"))
		}
	}
	expect("origin", "ann", "bob", "origin", "ann", "origin")
	require.EqualValues(t, 1, origin.taken.Load(), "one client, one connection")

	everybody := everything()
	everybody.Order = 3
	rest := w.hold(everybody, to(web(t, "rest")))
	expect("rest", "ann", "bob", "rest", "ann", "rest")

	ann.link.SetPort(port, false)
	w.eventually(func() bool { return ann.state().To == wire.ToOrigin })
	expect("rest", "origin", "bob", "rest", "origin", "rest")
	ann.link.SetPort(port, true)
	w.eventually(func() bool { return ann.state().To == wire.ToDeveloper })
	expect("rest", "ann", "bob", "rest", "ann", "rest")

	rest.link.Close()
	<-rest.ended
	w.eventually(func() bool { return !w.toDeveloper() })
	expect("origin", "ann", "bob", "origin", "ann", "origin")
	ann.conn.pause() // black-holed
	w.eventually(func() bool { return !w.askStatusOf("ann").Connected })
	expect("origin", "origin", "bob", "origin", "origin", "origin")

	status := w.askStatus()
	require.Len(t, status.Claims, 3)
	requests := make(map[string]int64)
	connected := make(map[string]bool)
	for _, c := range status.Claims {
		requests[c.ID], connected[c.ID] = c.Requests, c.Connected
	}
	require.Equal(t, map[string]bool{"ann": false, "bob": true, "all": false}, connected)
	require.EqualValues(t, 6, requests["bob"])
	require.EqualValues(t, 9, requests["all"])
}

// askStatusOf asks the agent how a claim stands.
func (w *world) askStatusOf(id string) wire.ClaimStatus {
	for _, c := range w.askStatus().Claims {
		if c.ID == id {
			return c
		}
	}
	return wire.ClaimStatus{}
}

// askStatus asks the agent how it stands.
func (w *world) askStatus() wire.Status {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), soon)
	defer cancel()
	conn := dialTCP(w.t, w.address("tcp", "127.0.0.1", linkPort))
	status, err := wire.End{Name: "service-middle", Identity: "4f1c"}.AskStatus(ctx, conn)
	require.NoError(w.t, err)
	return status
}

func TestTheEarlierClaimIsAskedFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greet("origin"))
	for order, name := range []string{"second", "first"} {
		c := personal(name, 2-order)
		c.Rule = claim.Rule{Headers: []claim.Header{{Name: "baggage", Op: "~", Value: fmt.Sprintf("ann|%d", order)}}}
		w.hold(c, to(web(t, name)))
	}
	client := &http.Client{Transport: &http.Transport{}, Timeout: soon}
	t.Cleanup(client.CloseIdleConnections)
	got, _ := w.askAs(client, "ann")
	require.Equal(t, "first", got)
}

func TestWhatIsNoHTTPGoesToWhoTakesAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greet("origin"))
	w.hold(personal("ann", 1), to(serve(t, greet("ann"))))
	require.Equal(t, "origin", w.who(), "a client that waits for the server to speak")
	tls := personal("bob", 2)
	tls.TLS = true
	w.hold(tls, to(serve(t, greet("bob"))))
	client := w.client()
	_, err := client.Write([]byte{0x16, 3, 1, 0, 4, 1, 0, 0, 0})
	require.NoError(t, err)
	client.CloseWrite()
	got, err := io.ReadAll(client)
	require.NoError(t, err)
	require.Equal(t, "bob", string(got))
	w.hold(everything(), to(serve(t, greet("rest"))))
	require.Equal(t, "rest", w.who())
}
