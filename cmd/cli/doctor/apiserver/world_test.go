package apiserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/kube"
)

// serve starts a server of a handler, with a certificate for a name that is valid for that
// long from a time on; the config trusts it.
func serve(t *testing.T, handler http.HandlerFunc, name string, from time.Time, valid time.Duration) *rest.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: from.Add(valid),
		IsCA: true, BasicConstraintsValid: true, DNSNames: []string{name}}
	if address := net.ParseIP(name); address != nil {
		template.IPAddresses = []net.IP{address}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: authority}, QPS: -1,
		ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
}

// well is a server that is.
func well(t *testing.T, handler http.HandlerFunc) *rest.Config {
	t.Helper()
	return serve(t, handler, "127.0.0.1", time.Now().Add(-time.Hour), 48*time.Hour)
}

// says answers every request so.
func says(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// A Status as API servers answer.
const (
	unauthorized = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Unauthorized","code":401}`
	notFound     = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`
)

// examine checks the API server that a config leads to.
func examine(t *testing.T, config *rest.Config, linksKept ...string) []check.Result {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	results, _ := Check(ctx, Options{
		Cluster:   &kube.Cluster{Config: config, Client: client},
		Namespace: "demo",
		LinksKept: func(context.Context) []string { return linksKept },
		Meet:      func() *Meeting { return Meet(ctx, config) },
		Login:     func() error { return nil },
	})
	return results
}

// requireFault wants a fault to be the first that is named, with something to do about it.
func requireFault(t *testing.T, results []check.Result, name, message string) {
	t.Helper()
	fault := check.FirstFault(results)
	require.NotNil(t, fault, "%+v", results)
	require.Equal(t, name, fault.Check, "%+v", results)
	require.Contains(t, fault.Message, message)
	require.NotEmpty(t, fault.Hint)
}

// of is the result of a check.
func of(t *testing.T, results []check.Result, name string) check.Result {
	t.Helper()
	for _, r := range results {
		if r.Check == name {
			return r
		}
	}
	require.FailNow(t, "not checked", "%s in %+v", name, results)
	return check.Result{}
}
