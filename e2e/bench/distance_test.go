package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/devtun/devtun/e2e/testbed"
)

// A distant API server answers late, and sends as fast as ever.
func TestDistanceDelaysAndDoesNotThrottle(t *testing.T) {
	const (
		size      = 64 << 20
		throttled = size / (32 << 10) * 25 * time.Millisecond // a block each half of the distance: 51 s
	)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/version" {
			return
		}
		io.CopyN(w, zeros{}, size)
	}))
	defer server.Close()
	distance, err := startDistance(labOf(t, server.URL), 50*time.Millisecond)
	require.NoError(t, err)
	defer distance.close()

	trip, err := distance.measure(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, trip, 50*time.Millisecond)

	began := time.Now()
	answer, err := server.Client().Get("https://" + distance.proxy.Listen + "/bytes")
	require.NoError(t, err)
	got, err := io.Copy(io.Discard, answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.EqualValues(t, size, got)
	require.Less(t, time.Since(began), throttled)
}

// labOf is a lab whose site is an API server with nothing in it.
func labOf(t *testing.T, server string) *lab {
	t.Helper()
	dir := t.TempDir()
	config := api.NewConfig()
	config.Clusters["c"] = &api.Cluster{Server: server, InsecureSkipTLSVerify: true}
	config.AuthInfos["u"] = &api.AuthInfo{Token: "secret"}
	config.Contexts["x"] = &api.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "x"
	file := filepath.Join(dir, "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*config, file))
	address, err := url.Parse(server)
	require.NoError(t, err)
	return &lab{dir: dir, site: &site{Bed: &testbed.Bed{Kubeconfig: file}, api: address}}
}

func TestKubeconfigOfAnotherWay(t *testing.T) {
	l := labOf(t, "https://10.1.2.3:6443")
	file := filepath.Join(l.dir, "other")

	require.NoError(t, l.site.writeKubeconfig(file, "https://127.0.0.1:1", true))
	config, err := clientcmd.BuildConfigFromFlags("", file)
	require.NoError(t, err)
	require.Equal(t, "https://127.0.0.1:1", config.Host)
	require.Equal(t, "10.1.2.3", config.ServerName)
	require.Equal(t, "secret", config.BearerToken)

	require.NoError(t, l.site.writeKubeconfig(file, "http://127.0.0.1:2", false))
	config, err = clientcmd.BuildConfigFromFlags("", file)
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:2", config.Host)
	require.Empty(t, config.BearerToken)
	require.Empty(t, config.ServerName)
}

func TestAPIHost(t *testing.T) {
	for server, want := range map[string]struct {
		host    string
		address bool
	}{
		"https://10.1.2.3:6443":       {"10.1.2.3:6443", true},
		"https://10.1.2.3":            {"10.1.2.3:443", true},
		"https://api.example.com":     {"api.example.com:443", false},
		"https://[fd00::1]:6443/path": {"[fd00::1]:6443", false},
	} {
		address, err := url.Parse(server)
		require.NoError(t, err)
		s := &site{api: address}
		require.Equal(t, want.host, s.apiHost())
		_, ok := s.apiAddress()
		require.Equal(t, want.address, ok, server)
	}
}
