package plan

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var quiet = log.New(io.Discard, "", 0)

// doer is a function as a Doer.
type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(request *http.Request) (*http.Response, error) { return d(request) }

func respond(code int, body string) *http.Response {
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func TestSendTriesAgain(t *testing.T) {
	attempts := 0
	client := &Client{Base: "http://server", Doer: doer(func(request *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(request.Body)
		require.NoError(t, err)
		require.Equal(t, "{}", string(body), "each attempt has the whole body")
		attempts++
		switch attempts {
		case 1:
			return nil, errors.New("connection refused")
		case 2:
			return respond(http.StatusTooManyRequests, "slow down"), nil
		case 3:
			return respond(http.StatusServiceUnavailable, ""), nil
		}
		return respond(http.StatusOK, "done"), nil
	})}
	answer, err := client.send(t.Context(), Request{Method: http.MethodPatch, Path: "/x", Body: []byte("{}")})
	require.NoError(t, err)
	require.Equal(t, "done", string(answer))
	require.Equal(t, 4, attempts)
}

// TestALargeBodyHasItsTime: over a slow line it would never get there otherwise.
func TestALargeBodyHasItsTime(t *testing.T) {
	var allowed time.Duration
	client := &Client{Base: "http://server", Timeout: time.Hour,
		Doer: doer(func(request *http.Request) (*http.Response, error) {
			deadline, ok := request.Context().Deadline()
			require.True(t, ok)
			allowed = time.Until(deadline)
			return respond(http.StatusOK, ""), nil
		})}
	for size, want := range map[int]time.Duration{2: time.Hour, 1 << 20: time.Hour + 32*time.Second} {
		_, err := client.send(t.Context(), Request{Method: http.MethodPost, Path: "/x", Body: make([]byte, size)})
		require.NoError(t, err)
		require.InDelta(t, want, allowed, float64(5*time.Second))
	}
}

func TestSendGivesUp(t *testing.T) {
	for code, want := range map[int]string{
		http.StatusForbidden:  `GET /x: 403 Forbidden`,
		http.StatusNotFound:   `GET /x: 404 Not Found`,
		http.StatusBadRequest: `GET /x: 400 Bad Request`,
	} {
		attempts := 0
		client := &Client{Base: "http://server/", Doer: doer(func(request *http.Request) (*http.Response, error) {
			require.Equal(t, "http://server/x", request.URL.String())
			attempts++
			return respond(code, "<html>"), nil
		})}
		_, err := client.send(t.Context(), Request{Method: http.MethodGet, Path: "/x"})
		require.EqualError(t, err, want)
		require.Equal(t, 1, attempts)
	}
}

func TestSendEndsWithContext(t *testing.T) {
	client := &Client{Base: "http://server", Doer: doer(func(*http.Request) (*http.Response, error) {
		return respond(http.StatusInternalServerError, `{"message":"etcd is away"}`), nil
	})}
	_, err := client.send(brief(t), Request{Method: http.MethodGet, Path: "/x"})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "etcd is away")
}

// TestInPod serves as an API server to a pod's credentials, whose token changes.
func TestInPod(t *testing.T) {
	var tokens []string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tokens = append(tokens, r.Header.Get("Authorization"))
	}))
	defer server.Close()
	dir := t.TempDir()
	write := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	write("namespace", "shop\n")
	write("token", "first\n")
	write("ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	at, err := url.Parse(server.URL)
	require.NoError(t, err)
	host, port, err := net.SplitHostPort(at.Host)
	require.NoError(t, err)

	client, namespace, err := inPod(dir, host, port)
	require.NoError(t, err)
	defer client.Doer.(*tokenDoer).CloseIdleConnections()
	require.Equal(t, "shop", namespace)
	_, err = client.send(t.Context(), Request{Method: http.MethodGet, Path: "/x"})
	require.NoError(t, err)
	write("token", "second\n")
	_, err = client.send(t.Context(), Request{Method: http.MethodGet, Path: "/x"})
	require.NoError(t, err)
	require.Equal(t, []string{"Bearer first", "Bearer second"}, tokens)

	_, _, err = inPod(dir, "", "")
	require.EqualError(t, err, "find the API server: KUBERNETES_SERVICE_HOST and _PORT are not set")
	write("ca.crt", "")
	_, _, err = inPod(dir, host, port)
	require.EqualError(t, err, "read cluster's certificate: there is none in ca.crt")
}

// TestCertificateThatDoesNotFit is not tried again.
func TestCertificateThatDoesNotFit(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = quiet
	server.StartTLS()
	defer server.Close()
	_, err := (&Client{Doer: http.DefaultClient, Base: server.URL}).send(t.Context(),
		Request{Method: http.MethodGet, Path: "/x"})
	require.ErrorContains(t, err, "reach the API server: ")
	require.ErrorContains(t, err, "certificate")
}

// loginError is as credential.Error.
type loginError struct{ error }

func (loginError) NeedsLogin() bool { return true }

// failing answers each request with an error.
type failing struct {
	err  error
	asks int
}

func (d *failing) Do(*http.Request) (*http.Response, error) {
	d.asks++
	return nil, d.err
}

// TestLoginThatHasExpired is for a person to renew, not for another attempt.
func TestLoginThatHasExpired(t *testing.T) {
	expired := loginError{errors.New("expired")}
	doer := &failing{err: &url.Error{Op: "Get", URL: "/x", Err: expired}}
	_, err := (&Client{Doer: doer}).send(t.Context(), Request{Method: http.MethodGet, Path: "/x"})
	require.ErrorIs(t, err, expired)
	require.Equal(t, 1, doer.asks)
}
