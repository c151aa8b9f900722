package web

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func get(t *testing.T, url string) (status int, text string) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	req.Header.Set(requestID, "42")
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

// asking is a service that asks next, as service-front does.
func asking(name, next string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said, err := Ask(r, next)
		if err != nil {
			Fail(w, name, err)
			return
		}
		Answer(w, name, said)
	})
}

func TestChain(t *testing.T) {
	host, err := os.Hostname()
	require.NoError(t, err)
	ids := make(chan string, 1)
	last := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ids <- r.Header.Get(requestID)
		Answer(w, "last", "")
	}))
	defer last.Close()
	middle := httptest.NewServer(asking("middle", last.URL))
	defer middle.Close()
	first := httptest.NewServer(asking("first", middle.URL))
	defer first.Close()

	status, text := get(t, first.URL)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "first on "+host+"\n  middle on "+host+"\n    last on "+host+"\n", text)
	require.Equal(t, "42", <-ids)
}

func TestNextDoesNotAnswer(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	middle := httptest.NewServer(asking("middle", gone.URL))
	defer middle.Close()
	first := httptest.NewServer(asking("first", middle.URL))
	defer first.Close()

	status, text := get(t, first.URL)
	require.Equal(t, http.StatusBadGateway, status)
	require.Contains(t, text, "502 Bad Gateway from "+middle.URL)
	require.Contains(t, text, "no answer")
	require.Contains(t, text, "refused")
}

// pipes is a network of one listener in memory, which has no time but the test's.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	close  func()
}

func newPipes() *pipes {
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	p.close = sync.OnceFunc(func() { close(p.closed) })
	return p
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { p.close(); return nil }

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

func (p *pipes) Dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.closed:
		return nil, syscall.ECONNREFUSED
	}
}

// running is a service under serve, how to ask it, and how it ended. Its clients
// keep their connections.
func running(t *testing.T) (ask func(path string) (*http.Response, string), stop chan os.Signal, ended <-chan error) {
	network := newPipes()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { Answer(w, "one", "") })
	stop, done := make(chan os.Signal, 2), make(chan error, 1)
	go func() { done <- serve(network, handler, stop) }()
	kept := &http.Client{Transport: &http.Transport{DialContext: network.Dial}}
	t.Cleanup(kept.CloseIdleConnections)
	return func(path string) (*http.Response, string) {
		resp, err := kept.Get("http://one" + path)
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		return resp, string(text)
	}, stop, done
}

// polls is more than http.Server, which looks again and again, takes to see that
// the last connection has ended.
const polls = time.Second

func TestTermServesOnForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ask, stop, ended := running(t)
		resp, _ := ask("/ready")
		require.False(t, resp.Close)

		stop <- syscall.SIGTERM
		synctest.Wait()
		for range 5 { // for longer than drain
			time.Sleep(drain - time.Millisecond)
			resp, text := ask("/")
			require.Contains(t, text, "one on ")
			require.True(t, resp.Close, "a kept connection ends with an answer")
		}
		last := time.Now()
		require.NoError(t, <-ended)
		require.Equal(t, drain, time.Since(last).Truncate(polls))
	})
}

func TestTermServesOnUntilPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ask, stop, ended := running(t)
		stop <- syscall.SIGTERM
		synctest.Wait()
		told := time.Now()
		for time.Since(told) < maxDrain-time.Second {
			time.Sleep(time.Second)
			ask("/")
		}
		require.NoError(t, <-ended)
		require.Equal(t, maxDrain, time.Since(told).Truncate(polls), "somebody always asked")
	})
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ask, stop, ended := running(t)
		ask("/")
		told := time.Now()
		stop <- syscall.SIGTERM
		stop <- syscall.SIGTERM
		require.NoError(t, <-ended)
		require.Zero(t, time.Since(told).Truncate(polls))
	})
}

func TestInterruptEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ask, stop, ended := running(t)
		ask("/")
		told := time.Now()
		stop <- os.Interrupt
		require.NoError(t, <-ended)
		require.Zero(t, time.Since(told).Truncate(polls))
	})
}
