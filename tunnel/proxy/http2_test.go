package proxy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/proxy"
)

func TestHTTP2CarriesBodiesAndTrailers(t *testing.T) {
	client := h2cClient(t, newEngine(t, to(h2cServer(t, echo)), nil).address)
	for _, size := range []int{0, 1, 1000, 100_000, 3 << 20} {
		body := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
		answer := fetch(t, client, "POST", "", body)
		require.Equal(t, string(body), textOf(t, answer), size)
		require.Equal(t, fmt.Sprint(size), answer.Trailer.Get("Sum"))
	}
	require.Equal(t, "HEAD", fetch(t, client, "HEAD", "", nil).Header.Get("Method"))
}

func TestHTTP2SendsStreamsOfOneClientToSeveralDestinations(t *testing.T) {
	says := func(name string) serverAt {
		return h2cServer(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, name) })
	}
	e := newEngine(t, byHeader(map[string]proxy.Destination{"": says("origin"), "a": says("A"), "b": says("B")}), nil)
	client := h2cClient(t, e.address)
	for range 3 {
		require.Equal(t, "A", textOf(t, fetch(t, client, "GET", "a", nil)))
		require.Equal(t, "B", textOf(t, fetch(t, client, "GET", "b", nil)))
		require.Equal(t, "origin", textOf(t, fetch(t, client, "GET", "", nil)))
	}
	require.Equal(t, 1, e.count())
}

// TestNoHTTP2StreamStopsAnother: one whose reader reads nothing, in each direction.
func TestNoHTTP2StreamStopsAnother(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	server := h2cServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case "PUT": // reads nothing
			select {
			case <-release:
			case <-r.Context().Done():
			}
		case "GET": // says more than is read
			_, _ = w.Write(make([]byte, 64<<20))
		default:
			echo(w, r)
		}
	})
	for name, destinations := range map[string]map[string]proxy.Destination{
		"of one destination":      {"": server, "other": server},
		"of several destinations": {"": server, "other": h2cServer(t, echo)},
	} {
		t.Run(name, func(t *testing.T) {
			client := h2cClient(t, newEngine(t, byHeader(destinations), nil).address)
			stalled := fetch(t, client, "GET", "", nil)
			reader, writer := io.Pipe()
			ctx, cancel := context.WithCancel(t.Context())
			request, err := http.NewRequestWithContext(ctx, "PUT", "http://service/", reader)
			require.NoError(t, err)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				if answer, err := client.Do(request); err == nil {
					answer.Body.Close()
				}
			}()
			wrote := make(chan struct{})
			go func() {
				defer close(wrote)
				for {
					if _, err := writer.Write(make([]byte, 64<<10)); err != nil {
						return
					}
				}
			}()
			body := bytes.Repeat([]byte("x"), 2<<20)
			for range 10 {
				require.Len(t, textOf(t, fetch(t, client, "POST", "other", body)), len(body))
			}
			stalled.Body.Close()
			cancel()
			<-ended
			reader.Close()
			<-wrote
		})
	}
}

func TestHTTP2CarriesOnAndMarks(t *testing.T) {
	server := h2cServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		fmt.Fprint(w, r.Header["Baggage"], r.Header["X-Tester"])
	})
	router := routerFunc(func(context.Context, *proxy.Request, []proxy.Destination) (proxy.Route, error) {
		return proxy.Route{
			To:    server,
			Carry: []proxy.Carried{{Name: "Baggage", Value: "devtun=me", List: true}, {Name: "X-Tester", Value: "7"}},
			Mark:  []proxy.Field{{Name: "Devtun", Value: "me@here"}},
		}, nil
	})
	client := h2cClient(t, newEngine(t, router, nil).address)
	for _, c := range []struct {
		baggage []string
		want    string
	}{
		{nil, "[devtun=me] [7]"},
		{[]string{"a=1", "b=2"}, "[a=1 b=2, devtun=me] [7]"},
		{[]string{"devtun=me;p=1, b=2"}, "[devtun=me;p=1, b=2] [7]"},
	} {
		request, err := http.NewRequest("GET", "http://service/", nil)
		require.NoError(t, err)
		request.Header["Baggage"] = c.baggage
		answer, err := client.Do(request)
		require.NoError(t, err)
		require.Equal(t, c.want, textOf(t, answer))
		require.Equal(t, []string{"me@here"}, answer.Header["Devtun"])
	}
}

// notTaken is a destination that dials and then does not take.
type notTaken struct{ *net.TCPListener }

func (d notTaken) Dial(ctx context.Context) (proxy.Upstream, error) {
	up, err := serverAt(d.Addr().String()).Dial(ctx)
	if err != nil {
		return nil, err
	}
	return dialled{TCP: up.(dialled).TCP, taken: make(chan struct{})}, nil
}

func TestHTTP2SaysAgainWhatWasNotTaken(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	heard := make(chan string, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		said := make([]byte, 64<<10)
		_, _ = io.ReadFull(conn, said)
		heard <- string(said)
	}()
	refusing := notTaken{listener.(*net.TCPListener)}
	server := h2cServer(t, echo)
	router := routerFunc(func(_ context.Context, _ *proxy.Request, refused []proxy.Destination) (proxy.Route, error) {
		if slices.Contains(refused, proxy.Destination(refusing)) {
			return proxy.Route{To: server}, nil
		}
		return proxy.Route{To: refusing}, nil
	})
	client := h2cClient(t, newEngine(t, router, nil).address)
	body := strings.Repeat("0123456789abcdef", 1<<16)
	answer := fetch(t, client, "POST", "", []byte(body))
	require.Contains(t, <-heard, body[:1000])
	require.Equal(t, body, textOf(t, answer))
}

func TestHTTP2DrainLosesNothing(t *testing.T) {
	e := newEngine(t, to(h2cServer(t, echo)), nil)
	client := h2cClient(t, e.address)
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for range 50 {
				request, _ := http.NewRequest("POST", "http://service/", strings.NewReader("body"))
				answer, err := client.Do(request)
				if err != nil {
					t.Error(err)
					return
				}
				if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "body" {
					t.Error(err, string(body))
				}
				answer.Body.Close()
			}
		})
	}
	for range 5 {
		fetch(t, client, "GET", "", nil)
		conn := e.last()
		conn.Drain()
		<-conn.ended
	}
	asking.Wait()
}
