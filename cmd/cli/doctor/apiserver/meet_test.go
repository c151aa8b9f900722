package apiserver

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
)

// silent listens, and accepts what the system accepts for it; nobody ever says anything.
func silent(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}

// soon meets the API server of a config, which has a short time.
func soon(t *testing.T, config *rest.Config) *Meeting {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	return Meet(ctx, config)
}

func TestUnreachable(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	hanging := make(chan struct{})
	hangs := well(t, func(http.ResponseWriter, *http.Request) { <-hanging })
	t.Cleanup(func() { close(hanging) })
	plain := well(t, says(200, "{}"))
	through := func(proxy string) *rest.Config {
		config := rest.CopyConfig(plain)
		config.Host = "https://api.test:6443"
		config.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy) }
		return config
	}
	for name, c := range map[string]struct {
		config *rest.Config
		says   string
	}{
		"it refuses": {&rest.Config{Host: "https://" + closed.Addr().String()}, "refuses connections"},
		"it is silent": {&rest.Config{Host: "https://" + silent(t)},
			"accepts connections, and does not answer to TLS"},
		"it hangs": {hangs, "accepts requests, and does not answer"},
		"the proxy refuses": {through("http://" + closed.Addr().String()),
			"the proxy " + closed.Addr().String() + " refuses"},
		"its name is none": {&rest.Config{Host: "https://devtun-doctor.invalid"},
			"the name devtun-doctor.invalid does not resolve"},
		"something before it":   {well(t, says(http.StatusBadGateway, "")), "answers 502 Bad Gateway"},
		"a web page's server":   {&rest.Config{Host: "https://" + plaintext(t)}, "does not speak TLS"},
		"its address is broken": {&rest.Config{Host: "https://%zz"}, "names no API server"},
	} {
		t.Run(name, func(t *testing.T) {
			met := soon(t, c.config)
			r := met.reachable()
			require.Equal(t, check.Fault, r.Status)
			require.Contains(t, r.Message, c.says, "%v", met.Err)
			require.NotEmpty(t, r.Hint)
			require.Error(t, errors.Join(met.NoDate(), errors.New(http.StatusText(met.Status))))
		})
	}
}

// plaintext is a server without TLS.
func plaintext(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: says(200, "{}")}
	done := make(chan struct{})
	go func() { _ = server.Serve(listener); close(done) }()
	t.Cleanup(func() { server.Close(); <-done })
	return listener.Addr().String()
}

// TestNothingIsAskedBehindAFault: one fault is one fault.
func TestNothingIsAskedBehindAFault(t *testing.T) {
	results := examine(t, well(t, says(http.StatusBadGateway, "")))
	requireFault(t, results, "reachable", "502")
	for _, r := range results[1:] {
		require.Equal(t, check.NotChecked, r.Status, r.Check)
	}
	require.Len(t, results, len(NotAsked("")))
}

func TestCertificates(t *testing.T) {
	now := time.Now()
	t.Run("of an authority that is not known", func(t *testing.T) {
		config := well(t, says(200, "{}"))
		other := well(t, says(200, "{}"))
		config.CAData = other.CAData
		requireFault(t, examine(t, config), "certificate", "an authority that the kubeconfig does not know")
	})
	t.Run("for another name", func(t *testing.T) {
		requireFault(t, examine(t, serve(t, says(200, "{}"), "api.test", now.Add(-time.Hour), 48*time.Hour)),
			"certificate", "is not for 127.0.0.1")
	})
	t.Run("expired", func(t *testing.T) {
		config := serve(t, says(200, "{}"), "127.0.0.1", now.Add(-48*time.Hour), time.Hour)
		requireFault(t, examine(t, config), "certificate", "is not valid now")
	})
	t.Run("not looked at", func(t *testing.T) {
		config := serve(t, says(200, "{}"), "api.test", now.Add(-48*time.Hour), time.Hour)
		config.TLSClientConfig = rest.TLSClientConfig{Insecure: true}
		require.NoError(t, soon(t, config).Untrusted)
	})
	t.Run("of another name that is wanted", func(t *testing.T) {
		config := serve(t, says(200, "{}"), "api.test", now.Add(-time.Hour), 48*time.Hour)
		config.ServerName = "api.test"
		require.NoError(t, soon(t, config).Untrusted)
	})
}

// TestClock: a certificate that is valid by the server's clock has not expired; the clock of
// this machine is wrong.
func TestClock(t *testing.T) {
	there := time.Now().Add(-30 * 24 * time.Hour)
	config := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", there.UTC().Format(http.TimeFormat))
	}, "127.0.0.1", there.Add(-time.Hour), 24*time.Hour)
	met := soon(t, config)
	require.NoError(t, met.NoDate())
	require.InDelta(t, -30*24*time.Hour, met.Offset, float64(2*time.Second))
	require.NoError(t, met.Untrusted)
	require.True(t, met.ValidUntil.Before(time.Now()))

	met = soon(t, well(t, says(200, "{}")))
	require.InDelta(t, 0, met.Offset, float64(2*time.Second))
	require.Equal(t, check.OK, met.reachable().Status)
	require.Equal(t, check.OK, met.certificate().Status)
}

func TestNoCredentialsAreSentBeforeItIsTrusted(t *testing.T) {
	asked := make(chan http.Header, 9)
	config := well(t, func(w http.ResponseWriter, r *http.Request) { asked <- r.Header })
	config.BearerToken, config.CAData = "secret", well(t, says(200, "{}")).CAData
	requireFault(t, examine(t, config), "certificate", "an authority")
	require.Len(t, asked, 1)
	require.Empty(t, (<-asked).Get("Authorization"))
}
