package plan

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// serviceAccountDir is where the kubelet puts a pod's credentials.
const serviceAccountDir = "/var/run/secrets/kubernetes.io/serviceaccount"

// InPod is a client with the rights of the pod's service account, and the pod's
// namespace.
func InPod() (client *Client, namespace string, err error) {
	return inPod(serviceAccountDir, os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
}

func inPod(dir, host, port string) (*Client, string, error) {
	if host == "" || port == "" {
		return nil, "", errors.New("find the API server: KUBERNETES_SERVICE_HOST and _PORT are not set")
	}
	namespace, err := os.ReadFile(filepath.Join(dir, "namespace"))
	if err != nil {
		return nil, "", fmt.Errorf("read pod's namespace: %w", err)
	}
	authority, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		return nil, "", fmt.Errorf("read cluster's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, "", errors.New("read cluster's certificate: there is none in ca.crt")
	}
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: attemptTimeout}).DialContext,
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: attemptTimeout,
		IdleConnTimeout:     time.Minute,
		MaxIdleConns:        1,
	}
	doer := &tokenDoer{token: filepath.Join(dir, "token"), client: &http.Client{Transport: transport}}
	client := &Client{Doer: doer, Base: "https://" + net.JoinHostPort(host, port)}
	return client, strings.TrimSpace(string(namespace)), nil
}

// tokenDoer sends requests with a token from a file. The kubelet replaces the
// token before it expires, so it is read for every request.
type tokenDoer struct {
	token  string
	client *http.Client
}

func (a *tokenDoer) Do(request *http.Request) (*http.Response, error) {
	token, err := os.ReadFile(a.token)
	if err != nil {
		return nil, fmt.Errorf("read service account's token: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	return a.client.Do(request)
}

// CloseIdleConnections ends what no request uses.
func (a *tokenDoer) CloseIdleConnections() { a.client.CloseIdleConnections() }
