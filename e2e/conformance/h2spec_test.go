package conformance

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	h2spec "github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"

	"github.com/devtun/devtun/tunnel/proxy"
)

// TestH2specSaysTheSame of a server behind the proxy as straight of it, case by case; with
// one destination, and with each request to another one of two.
func TestH2specSaysTheSame(t *testing.T) {
	one, other := h2cServer(t), h2cServer(t)
	want := verdicts(t, string(one))
	require.Greater(t, len(want), 140)
	var requests atomic.Int64
	for name, to := range map[string]route{
		"one destination": func(*proxy.Request) proxy.Destination { return one },
		"by turns": func(*proxy.Request) proxy.Destination {
			return []server{one, other}[requests.Add(1)%2]
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := verdicts(t, carried(t, to))
			require.Len(t, got, len(want))
			for title, verdict := range got {
				if verdict != want[title] {
					requireEver(t, one, title, verdict)
				}
			}
		})
	}
}

// requireEver wants a case to have a verdict straight, too: of a few it depends on who is
// first what comes of them.
func requireEver(t *testing.T, straight server, title, verdict string) {
	t.Helper()
	number, _, _ := strings.Cut(title, " ")
	for range 30 {
		if verdicts(t, string(straight), number)[title] == verdict {
			return
		}
	}
	require.Fail(t, "not as straight", "%s: %s", title, verdict)
}

// h2cServer is a server with an answer that leaves h2spec's tests of windows something to
// ask for.
func h2cServer(t *testing.T) server {
	t.Helper()
	listener := listen(t)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	handler := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "an answer of some bytes")
	}
	server := &http.Server{Handler: http.HandlerFunc(handler), Protocols: &protocols}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close(); <-done })
	return address(listener)
}

func address(listener net.Listener) server { return server(listener.Addr().String()) }

// verdicts are those of all cases, or of some: by number and title, what came of it.
func verdicts(t *testing.T, address string, sections ...string) map[string]string {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	said := make(map[string]string)
	for _, group := range []*spec.TestGroup{generic.Spec(), h2spec.Spec(), hpack.Spec()} {
		group.Test(&config.Config{
			Host: host, Port: number, Sections: sections, Path: "/", Strict: true, Timeout: time.Second, MaxHeaderLen: 4000,
		})
		collect(said, group)
	}
	return said
}

func collect(said map[string]string, group *spec.TestGroup) {
	for i, test := range append(group.Tests, group.StrictTests...) {
		if test.Result == nil {
			continue
		}
		verdict := "passed"
		switch {
		case test.Result.Skipped:
			verdict = "skipped"
		case test.Result.Failed:
			verdict = "failed"
		}
		said[fmt.Sprintf("%s/%d %s", group.ID(), i+1, test.Desc)] = verdict
	}
	for _, below := range group.Groups {
		collect(said, below)
	}
}
