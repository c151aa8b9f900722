//go:build unix

package credential

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// timeout bounds the wait for what must happen.
const timeout = 10 * time.Second

// world is an API server, a plugin that is a script, and a gate whose clock is the
// test's.
type world struct {
	t      *testing.T
	gate   *Gate
	server *httptest.Server
	dir    string
	exec   *api.ExecConfig

	mu       sync.Mutex
	time     time.Time
	token    string // that the server takes; "" for any
	requests int
	notices  []Notice
}

// newWorld makes one whose plugin runs a script, after it has noted the run.
func newWorld(t *testing.T, script string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), time: time.Now(), gate: NewGate()}
	w.gate.now = func() time.Time {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.time
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { null.Close() })
	w.gate.input, w.gate.errors = null, null
	w.gate.Tell(func(n Notice) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.notices = append(w.notices, n)
	})
	t.Cleanup(w.gate.Close)
	w.server = httptest.NewUnstartedServer(http.HandlerFunc(w.serve))
	w.server.Config.ErrorLog = log.New(io.Discard, "", 0) // connections that were not needed in the end
	w.server.StartTLS()
	t.Cleanup(w.server.Close)
	w.exec = &api.ExecConfig{Command: w.path("plugin"), APIVersion: "client.authentication.k8s.io/v1",
		InteractiveMode: api.IfAvailableExecInteractiveMode}
	w.script(script)
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// script changes what the plugin does. In it, give says a token, and $DIR is the test's.
func (w *world) script(script string) {
	w.t.Helper()
	text := "#!/bin/sh\nDIR=" + w.dir + `
echo run >>$DIR/runs
give() { echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"'$1'"'$2'}}'; }
` + script + "\n"
	require.NoError(w.t, os.WriteFile(w.path("next"), []byte(text), 0o755))
	require.NoError(w.t, os.Rename(w.path("next"), w.path("plugin")))
}

// runs is how often the plugin was run.
func (w *world) runs() int {
	text, _ := os.ReadFile(w.path("runs"))
	return strings.Count(string(text), "run\n")
}

// awaitFile waits until the plugin has written a file, and returns what is in it.
func (w *world) awaitFile(name string) string {
	w.t.Helper()
	var text []byte
	require.Eventually(w.t, func() bool {
		text, _ = os.ReadFile(w.path(name))
		return strings.HasSuffix(string(text), "\n")
	}, timeout, time.Millisecond, "the plugin writes no %s", name)
	return strings.TrimSpace(string(text))
}

func (w *world) serve(answer http.ResponseWriter, request *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests++
	if w.token != "" && request.Header.Get("Authorization") != "Bearer "+w.token {
		answer.WriteHeader(http.StatusUnauthorized)
	}
}

// later moves the clock.
func (w *world) later(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.time = w.time.Add(by)
}

// takes has the server take another token only.
func (w *world) takes(token string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.token = token
}

// told is what was told since this was last called.
func (w *world) told() (notices []Notice) {
	w.mu.Lock()
	defer w.mu.Unlock()
	notices, w.notices = w.notices, nil
	return notices
}

func (w *world) config() *rest.Config {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.server.Certificate().Raw})
	return &rest.Config{Host: w.server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: ca}, ExecProvider: w.exec}
}

// login is the login of the world's plugin.
func (w *world) login() *Login {
	w.t.Helper()
	login, err := w.gate.Login(w.config())
	require.NoError(w.t, err)
	return login
}

// client sends requests with the login's credentials.
func (w *world) client(as func(*transport.Config)) *http.Client {
	w.t.Helper()
	config := w.config()
	config.ExecProvider = nil
	settings, err := config.TransportConfig()
	require.NoError(w.t, err)
	as(settings)
	roundTripper, err := transport.New(settings)
	require.NoError(w.t, err)
	client := &http.Client{Transport: roundTripper}
	w.t.Cleanup(client.CloseIdleConnections)
	return client
}

// get sends a request and returns the answer's code.
func (w *world) get(client *http.Client) (int, error) {
	response, err := client.Get(w.server.URL)
	if err != nil {
		return 0, err
	}
	response.Body.Close()
	return response.StatusCode, nil
}

func (w *world) requireOK(client *http.Client) {
	w.t.Helper()
	code, err := w.get(client)
	require.NoError(w.t, err)
	require.Equal(w.t, http.StatusOK, code)
}

// requireFailure requires that a request fails for want of credentials.
func (w *world) requireFailure(client *http.Client, why string) {
	w.t.Helper()
	_, err := w.get(client)
	require.ErrorAs(w.t, err, new(*Error))
	require.ErrorContains(w.t, err, why)
}

// certificate makes a client's certificate, and a script that gives it.
func (w *world) certificate(name string) (script string) {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(w.t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	template.Subject.CommonName = name
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(w.t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(w.t, err)
	answer, err := json.Marshal(map[string]any{
		"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
		"status": map[string]string{
			"clientCertificateData": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})),
			"clientKeyData":         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})),
			"expirationTimestamp":   time.Now().Add(time.Minute).Format(time.RFC3339),
		},
	})
	require.NoError(w.t, err)
	file := w.path(name + ".json")
	require.NoError(w.t, os.WriteFile(file, answer, 0o600))
	return "cat " + file
}

// knowsCertificates makes the server one that asks for certificates and answers with
// their names.
func (w *world) knowsCertificates() {
	w.server.Close()
	w.server = httptest.NewUnstartedServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		for _, certificate := range request.TLS.PeerCertificates {
			fmt.Fprint(answer, certificate.Subject.CommonName)
		}
	}))
	w.server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	w.server.StartTLS()
	w.t.Cleanup(w.server.Close)
}
