package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"k8s.io/client-go/rest"

	"github.com/devtun/devtun/e2e/bench/api"
)

func TestCounter(t *testing.T) {
	defer goleak.VerifyNone(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("Authorization")+" "+r.URL.Path)
	}))
	defer server.Close()
	counter, err := api.Count(&rest.Config{Host: server.URL, BearerToken: "secret"})
	require.NoError(t, err)
	defer counter.Close()

	for i, path := range []string{"/api/v1/services", "/api/v1/namespaces/demo/pods/web/portforward"} {
		answer, err := http.Get(counter.URL + path)
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, "Bearer secret "+path, string(body))
		require.EqualValues(t, i+1, counter.Requests.Load())
		require.EqualValues(t, i, counter.Upgrades.Load())
	}
	http.DefaultClient.CloseIdleConnections()
}
