package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// uninstrumented is a local service-middle, which passes no header on: it answers with what
// service-back does, asked under its name.
func uninstrumented(t *testing.T) (port string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}, Timeout: loaderTimeout}
	return serves(t, func(w http.ResponseWriter, r *http.Request) {
		answer, err := client.Get("http://service-back/")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		said, _ := io.ReadAll(answer.Body)
		fmt.Fprintf(w, "middle here, %s", said)
	})
}

// serves is a local process, until the test ends.
func serves(t *testing.T, handler http.HandlerFunc) (port string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: handler}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

// TestTheHeaderTravels from a client in the cluster through a process here that knows
// nothing of it to a colleague's, and from this machine into the cluster.
func TestTheHeaderTravels(t *testing.T) {
	n := newNamespace(t).chain()
	back := serves(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "back of a colleague, for %s", r.Header.Get("Baggage"))
	})
	colleague := n.intercepts(kubeconfig(), "service-back", "--personal=ann", "--port", back+":80")
	ask := func(baggage string) string {
		ctx, cancel := context.WithTimeout(t.Context(), loaderTimeout)
		defer cancel()
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return n.reach(ctx, "service-middle", 9090)
			}}}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://service-middle/", nil)
		require.NoError(t, err)
		if baggage != "" {
			request.Header.Set("Baggage", baggage)
		}
		answer, err := client.Do(request)
		if err != nil {
			return err.Error()
		}
		defer answer.Body.Close()
		said, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return string(said)
	}
	becomes := func(baggage, prefix string) {
		t.Helper()
		said := ""
		require.Eventually(t, func() bool {
			said = ask(baggage)
			return len(said) >= len(prefix) && said[:len(prefix)] == prefix
		}, 30*time.Second, 100*time.Millisecond, "%s", said)
	}

	d := n.intercept("--personal=ann", "--port", uninstrumented(t)+":8080")
	becomes("devtun=ann", "middle here, back of a colleague, for devtun=ann")
	require.Regexp(t, `^service-middle on service-middle-\S+\n +service-back on service-back-`, ask(""),
		"others' requests are not touched")
	d.stop()

	d = n.intercept("--personal=ann", "--no-carry", "--port", uninstrumented(t)+":8080")
	becomes("devtun=ann", "middle here, service-back on service-back-")
	d.stop()

	run := func(args ...string) string {
		out, stderr, code := n.devtun("run", append(args, "--", "curl", "-s", "http://service-back/")...)
		require.Zero(t, code, stderr)
		return out
	}
	require.Contains(t, run("--header", "baggage: tenant=3,devtun=ann"), "back of a colleague, for tenant=3,devtun=ann")
	require.Contains(t, run(), "service-back on service-back-")
	colleague.stop()
	n.noAgents()
}
