package tunnel_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"github.com/devtun/devtun/tunnel"
)

// proxying is a transport to an API server that serves each request by serve.
func proxying(t *testing.T, serve http.HandlerFunc) *tunnel.Transport {
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	transport, err := tunnel.NewTransport(&rest.Config{Host: server.URL + "/clusters/one", BearerToken: "mine"},
		tunnel.Auto)
	require.NoError(t, err)
	return transport
}

// TestDialProxy: what the pod says at once, behind its answer, is not lost.
func TestDialProxy(t *testing.T) {
	asked := make(chan *http.Request, 1)
	transport := proxying(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Clone(r.Context())
		conn, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(buffered, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: devtun\r\n\r\nat once")
		buffered.Flush()
		io.Copy(conn, buffered)
	})
	conn, err := transport.DialProxy(soon(t), pod, 47382)
	require.NoError(t, err)
	defer conn.Close()
	r := <-asked
	require.Equal(t, http.MethodGet, r.Method)
	require.Equal(t, "/clusters/one/api/v1/namespaces/"+pod.Namespace+"/pods/"+pod.Name+":47382/proxy/", r.URL.Path)
	require.Equal(t, "devtun", r.Header.Get("Upgrade"))
	require.Equal(t, "Bearer mine", r.Header.Get("Authorization"))

	got := make([]byte, len("at once"))
	_, err = io.ReadFull(conn, got)
	require.NoError(t, err)
	require.Equal(t, "at once", string(got))
	_, err = io.WriteString(conn, "and back")
	require.NoError(t, err)
	got = make([]byte, len("and back"))
	_, err = io.ReadFull(conn, got)
	require.NoError(t, err)
	require.Equal(t, "and back", string(got))
}

func TestDialProxyRefused(t *testing.T) {
	for name, test := range map[string]struct {
		code        int
		kind, body  string
		want        string
		isForbidden bool
	}{
		"by the API server": {http.StatusForbidden, "application/json",
			`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"pods is forbidden","reason":"Forbidden","code":403}`,
			"pods is forbidden", true},
		"by the pod": {http.StatusUpgradeRequired, "", "",
			"upgrade to devtun refused: 426 Upgrade Required", false},
		"by something on the way": {http.StatusBadGateway, "text/html", "<h1>Bad Gateway</h1>",
			"upgrade to devtun refused: 502 Bad Gateway: <h1>Bad Gateway</h1>", false},
		"by a page": {http.StatusOK, "text/html", "hello",
			"upgrade to devtun refused: 200 OK: hello", false},
	} {
		t.Run(name, func(t *testing.T) {
			transport := proxying(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.kind)
				w.WriteHeader(test.code)
				io.WriteString(w, test.body)
			})
			_, err := transport.DialProxy(soon(t), pod, 47382)
			require.ErrorContains(t, err, test.want)
			require.Equal(t, test.isForbidden, apierrors.IsForbidden(err))
		})
	}
}
