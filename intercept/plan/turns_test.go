package plan

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// turns is a Doer that sends one request at a time, whichever goroutines it is asked by: when
// do is called, just before the one named at is sent, none is on its way.
type turns struct {
	Doer
	at string
	do func()

	mu   sync.Mutex
	sent []string // requests, by name
}

// Do names a request by its method, its path, and how many like it there were: two runs
// have the same ones, in whichever order those of several goroutines come.
func (w *turns) Do(request *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var name string
	for n := 1; name == "" || slices.Contains(w.sent, name); n++ {
		name = fmt.Sprintf("%s %s #%d", request.Method, request.URL.Path, n)
	}
	w.sent = append(w.sent, name)
	if name == w.at {
		w.do()
	}
	return w.Doer.Do(request)
}

// atEach calls run with no name, and then with the name of each request that it has sent
// that time, of which at is the nth.
func atEach(t *testing.T, run func(n int, at string) *turns) {
	t.Helper()
	undisturbed := run(0, "")
	require.Greater(t, len(undisturbed.sent), 2)
	for i, at := range undisturbed.sent {
		require.Contains(t, run(i+1, at).sent, at)
	}
}

// lossy loses the answer to each request once, whatever else is on its way meanwhile.
func lossy(client *Client) *Client {
	var mu sync.Mutex
	lost := make(map[string]bool)
	return &Client{Base: client.Base, Doer: wire{Doer: client.Doer, after: func(request *http.Request) error {
		body, err := request.GetBody()
		if err != nil {
			return err
		}
		content, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		this := fmt.Sprintf("%s %s %s", request.Method, request.URL, content)
		if lost[this] = !lost[this]; lost[this] {
			return errors.New("connection reset")
		}
		return nil
	}}}
}
