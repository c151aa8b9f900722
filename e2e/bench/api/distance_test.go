package api_test

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
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/devtun/devtun/e2e/bench/api"
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
		w.Write(make([]byte, size))
	}))
	defer server.Close()
	address, err := url.Parse(server.URL)
	require.NoError(t, err)
	var distant string
	distance, err := api.PutAway(t.Context(), address.Host, 50*time.Millisecond, func(server string) (string, error) {
		distant = server
		return kubeconfigTo(t, server), nil
	})
	require.NoError(t, err, "it measures the distance")
	defer distance.Close()

	began := time.Now()
	answer, err := server.Client().Get(distant + "/bytes")
	require.NoError(t, err)
	got, err := io.Copy(io.Discard, answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.EqualValues(t, size, got)
	require.Less(t, time.Since(began), throttled)
}

func kubeconfigTo(t *testing.T, server string) (file string) {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: server, InsecureSkipTLSVerify: true}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c"}
	config.CurrentContext = "x"
	file = filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*config, file))
	return file
}
