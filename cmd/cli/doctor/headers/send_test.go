package headers

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/doctor/service"
	"github.com/devtun/devtun/tunnel"
)

// conn is a TCP connection as a port-forward's.
type conn struct{ *net.TCPConn }

func (c conn) Abort() { c.Close() }

// TestSend sends one request, with the header and a trace, to the service's HTTP port, and takes
// any answer for one; but not none.
func TestSend(t *testing.T) {
	got := make(chan *http.Request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r
		w.WriteHeader(http.StatusTeapot)
	}))
	defer server.Close()
	o := Options{
		From: service.Found{Service: "front", Namespace: "shop",
			Ports: []service.Port{{Name: "db", Number: 5432}, {Name: "http", Number: 80, HTTP: true}},
			Endpoints: []service.Endpoint{{Port: "db", Number: 5432, Pod: "front-1"}, {Port: "http", Number: 8080},
				{Port: "http", Number: 8080, Pod: "front-1"}}},
		Dial: func(ctx context.Context, pod tunnel.Pod, port int) (tunnel.Conn, error) {
			require.Equal(t, tunnel.Pod{Namespace: "shop", Name: "front-1"}, pod)
			require.Equal(t, 8080, port)
			c, err := new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
			if err != nil {
				return nil, err
			}
			return conn{c.(*net.TCPConn)}, nil
		},
	}
	to, found := o.entry()
	require.True(t, found)
	answered, err := o.send(t.Context(), to, "doctor-abc")
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), answered, time.Second)
	r := <-got
	require.Equal(t, "GET / front", strings.Join([]string{r.Method, r.URL.Path, r.Host}, " "))
	require.Equal(t, "devtun=doctor-abc", r.Header.Get("baggage"))
	require.Equal(t, traceparent("doctor-abc"), r.Header.Get("traceparent"))

	server.Close()
	_, err = o.send(t.Context(), to, "doctor-abc")
	require.Error(t, err)

	o.From.Ports[1].HTTP = false
	_, found = o.entry()
	require.False(t, found)
}
