package intercept

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/wire"
)

// answers serves HTTP: name to every request, to one for /slow only once slow is closed.
func answers(t *testing.T, name string, slow <-chan struct{}) net.Listener {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-slow
		}
		io.WriteString(w, name)
	}))
	t.Cleanup(server.Close)
	return server.Listener
}

// asks sends a request with a personal key, "" for none, and returns who answered.
func (a *testAgent) asks(path, key string) string {
	request, err := http.NewRequest(http.MethodGet, "http://"+a.address("", port)+path, nil)
	if err != nil {
		return err.Error()
	}
	if key != "" {
		request.Header.Set("Baggage", "devtun="+key)
	}
	client := http.Client{Timeout: soon, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	name, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return string(name)
}

// TestATeam has three developers at one agent: one leaves with a request under way, one is
// gone at once, and nobody else notices.
func TestATeam(t *testing.T) {
	t.Parallel()
	if wire.Version < 2 {
		t.Skip("this agent knows of one developer only")
	}
	w := newWorld(t, 1)
	w.origin = answers(t, "origin", nil)
	w.plan = newPlan(t, 1, w.config("4f1c"))
	one := w.start("one")
	slow := make(chan struct{})
	finish := sync.OnceFunc(func() { close(slow) })
	comes := func(name string, rule claim.Rule) (*Intercept, *running) {
		c := newClaim()
		c.Rule = rule
		return w.standingOf(c, Local{Port: port, Address: answers(t, name, slow).Addr().String()})
	}
	personal := func(key string) claim.Rule { return claim.Rule{Headers: []claim.Header{claim.Personal(key)}} }
	_, ann := comes("ann", personal("ann"))
	bob, _ := comes("bob", personal("bob"))
	eve, _ := comes("eve", claim.Rule{})
	t.Cleanup(finish) // before the servers' ends
	for _, i := range []*Intercept{bob, eve} {
		require.NoError(t, i.AwaitDeveloper(t.Context()), "with a rule, too")
	}
	w.eventually(func() bool { return one.asks("/", "ann") == "ann" })
	require.Equal(t, "bob", one.asks("/", "bob"))
	require.Equal(t, "eve", one.asks("/", ""))

	late, left := make(chan string, 1), make(chan error, 1)
	go func() { late <- one.asks("/slow", "bob") }()
	w.eventually(func() bool { return bob.Summary().Open > 0 })
	go func() { left <- bob.Leave(t.Context()) }()
	w.eventually(func() bool { return one.asks("/", "bob") == "origin" })
	require.Equal(t, "ann", one.asks("/", "ann"))
	require.Empty(t, left, "a request is under way")
	finish()
	require.Equal(t, "bob", <-late)
	require.NoError(t, <-left)

	require.NoError(t, ann.stop())
	w.eventually(func() bool { return one.asks("/", "ann") != "ann" })
	require.Equal(t, "eve", one.asks("/", ""))
	require.NoError(t, eve.Leave(t.Context()))
	for _, key := range []string{"ann", "bob", ""} {
		require.Equal(t, "origin", one.asks("/", key))
	}
}
