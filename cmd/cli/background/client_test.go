package background

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/project"
	"github.com/devtun/devtun/cmd/cli/status"
)

func TestAnOrderGoesThereAndItsWordsComeBack(t *testing.T) {
	h := &holder{}
	d, _ := serve(t, h)
	order := Order{File: "/f", Project: &project.Project{
		Namespace: "demo", Forward: project.Forward{Services: []string{"web"}, Hold: "10s"},
		Intercepts: []project.Intercept{{Workload: "web", Ports: []string{"1:2"}, Replace: true}},
	}, Environment: map[string]string{"KUBECONFIG": "/k"}, Parent: "pid=1", Verbose: true}
	var words []Line
	outcome, err := d.Client("shop").Apply(within(t), order, func(w Line) { words = append(words, w) })
	require.NoError(t, err)
	require.Equal(t, []Line{{Err: "preparing"}, {Out: "ready web"}}, words)
	require.Equal(t, Outcome{Error: "no service \"web\"", Hint: "did you mean api?", ExitCode: 6}, outcome)
	require.Equal(t, []Order{order}, h.orders)
}

func TestWhoGoesAwayEndsTheOrder(t *testing.T) {
	h := &holder{waits: make(chan struct{}), gaveUp: make(chan struct{})}
	d, _ := serve(t, h)
	ctx, cancel := context.WithCancelCause(within(t))
	gone := errors.New("gone")
	_, err := d.Client("shop").Apply(ctx, Order{Project: &project.Project{}}, func(w Line) {
		if w.Out != "" {
			cancel(gone)
		}
	})
	require.ErrorIs(t, err, gone)
	select {
	case <-h.gaveUp:
	case <-within(t).Done():
		require.FailNow(t, "the order goes on")
	}
}

func TestSnapshotAndWatch(t *testing.T) {
	h := &holder{changed: make(chan struct{}, 1)}
	d, stop := serve(t, h)
	s, err := d.Client("shop").Snapshot(within(t))
	require.NoError(t, err)
	require.Equal(t, h.Snapshot(), s)
	seen := 0
	require.NoError(t, d.Client("shop").Watch(within(t), func(s status.Snapshot) error {
		require.Equal(t, "shop", s.Session)
		if seen++; seen == 3 {
			go stop() // the end of the session is no error
		} else {
			h.changed <- struct{}{}
		}
		return nil
	}))
	stop()
	require.Equal(t, 3, seen)
}

func TestDown(t *testing.T) {
	h := &holder{}
	d, _ := serve(t, h)
	var words []Line
	outcome, err := d.Client("shop").Down(within(t), func(w Line) { words = append(words, w) })
	require.NoError(t, err)
	require.Equal(t, Outcome{}, outcome)
	require.Equal(t, []Line{{Out: "restored"}}, words)
	require.Equal(t, 1, h.downs)
}

func TestRestart(t *testing.T) {
	d, _ := serve(t, &holder{})
	for _, names := range [][]string{nil, {"web", "api"}} {
		var words []string
		outcome, err := d.Client("shop").Restart(within(t), names, func(w Line) { words = append(words, w.Err) })
		require.NoError(t, err)
		require.Equal(t, len(names), outcome.ExitCode)
		require.Len(t, words, len(names))
	}
}

func TestAnOrderOfAnotherVersionIsRefused(t *testing.T) {
	h := &holder{}
	d, _ := serve(t, h)
	for _, text := range []string{`{}`, `{"project": {}, "newer": 1}`, `garbage`} {
		_, err := d.Client("shop").command(within(t), "apply", []byte(text), nil)
		var version *VersionError
		require.ErrorAs(t, err, &version, text)
	}
	_, err := d.Client("shop").command(within(t), "restart", []byte(`{"newer": 1}`), nil)
	require.ErrorContains(t, err, "another version")
	_, err = d.Client("shop").command(within(t), "dance", nil, nil)
	require.ErrorContains(t, err, "another version")
	require.Empty(t, h.orders)
}

// TestASessionThatDiesInTheMiddle has the socket close without a last word.
func TestASessionThatDiesInTheMiddle(t *testing.T) {
	d := newDirectory(t)
	place, err := d.Claim("shop")
	require.NoError(t, err)
	defer place.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, _ := place.Listener.Accept()
		http.ReadRequest(bufio.NewReader(conn))
		conn.Write([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"out\": \"x\"}    \r\n"))
		accepted <- conn
	}()
	_, err = d.Client("shop").Down(within(t), func(Line) { (<-accepted).Close() })
	require.ErrorIs(t, err, ErrLost)
}

func TestAwait(t *testing.T) {
	d := newDirectory(t)
	_, err := d.Client("shop").Await(within(t), d)
	require.ErrorIs(t, err, ErrNone)

	starting, err := d.claim("shop") // no socket yet
	require.NoError(t, err)
	ctx, cancel := context.WithCancelCause(within(t))
	answered := make(chan error, 1)
	go func() {
		_, err := d.Client("shop").Await(ctx, d)
		answered <- err
	}()
	require.NoError(t, starting.listen())
	serving, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(serving, starting.Listener, &holder{}) }()
	require.NoError(t, <-answered)
	stop()
	require.NoError(t, <-served)
	require.NoError(t, starting.Close())
	cancel(nil)
}
