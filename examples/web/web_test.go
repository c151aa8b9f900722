package web

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
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

// running is a service under serve, and how it ended.
func running(t *testing.T) (url string, stop chan os.Signal, ended <-chan error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { Answer(w, "one", "") })
	stop, done := make(chan os.Signal, 2), make(chan error, 1)
	go func() { done <- serve(listener, handler, stop) }()
	return "http://" + listener.Addr().String(), stop, done
}

func TestTermServesOnForAWhile(t *testing.T) {
	url, stop, ended := running(t)
	status, _ := get(t, url+"/ready")
	require.Equal(t, http.StatusOK, status)

	stop <- syscall.SIGTERM
	require.Eventually(t, func() bool { return len(stop) == 0 }, time.Second, time.Millisecond)
	somebody := time.NewTicker(drain / 30)
	defer somebody.Stop()
	for range 40 { // longer than drain
		<-somebody.C
		status, _ = get(t, url)
		require.Equal(t, http.StatusOK, status)
	}
	start := time.Now()
	status, text := get(t, url)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, "one on ")
	resp, err := http.Get(url)
	require.NoError(t, err)
	resp.Body.Close()
	require.True(t, resp.Close, "a kept connection ends with an answer")

	select {
	case err := <-ended:
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(start), drain)
	case <-time.After(drain + shutdownTimeout):
		t.Fatal("it does not end")
	}
}

func TestInterruptEndsAtOnce(t *testing.T) {
	url, stop, ended := running(t)
	get(t, url)
	stop <- os.Interrupt
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(drain):
		t.Fatal("it does not end at once")
	}
}
