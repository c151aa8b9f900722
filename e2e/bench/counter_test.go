package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"k8s.io/client-go/rest"
)

func TestCounter(t *testing.T) {
	defer goleak.VerifyNone(t)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("Authorization")+" "+r.URL.Path)
	}))
	defer api.Close()
	counter, err := count(&rest.Config{Host: api.URL, BearerToken: "secret"})
	require.NoError(t, err)
	defer counter.close()

	for i, path := range []string{"/api/v1/services", "/api/v1/namespaces/demo/pods/web/portforward"} {
		answer, err := http.Get(counter.url + path)
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, "Bearer secret "+path, string(body))
		require.EqualValues(t, i+1, counter.requests.Load())
		require.EqualValues(t, i, counter.upgrades.Load())
	}
	http.DefaultClient.CloseIdleConnections()
}
