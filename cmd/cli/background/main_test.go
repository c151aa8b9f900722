package background

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/devtun/devtun/cmd/cli/status"
)

// The goroutine by which lumberjack removes old logs goes on for ever.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"))
}

const testTimeout = 10 * time.Second

// newDirectory is a directory of sessions, with a path that is short enough.
func newDirectory(t *testing.T) Directory {
	t.Helper()
	path, err := os.MkdirTemp("", "devtun-test-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(path) })
	return Directory(path)
}

// holder is a session that holds nothing.
type holder struct {
	mu      sync.Mutex
	orders  []Order
	changed chan struct{} // a token for each change
	waits   chan struct{} // Apply waits until it is closed, or its context ends
	gaveUp  chan struct{} // closed when Apply has given up
	downs   int
}

func (h *holder) Snapshot() status.Snapshot {
	return status.Snapshot{Session: "shop", Namespace: "demo"}
}

func (h *holder) Watch(ctx context.Context, tell func(status.Snapshot) error) {
	for {
		if tell(h.Snapshot()) != nil {
			return
		}
		select {
		case <-h.changed:
		case <-ctx.Done():
			return
		}
	}
}

func (h *holder) Apply(ctx context.Context, order Order, tell func(Line)) Outcome {
	h.mu.Lock()
	h.orders = append(h.orders, order)
	h.mu.Unlock()
	tell(Line{Err: "preparing"})
	tell(Line{Out: "ready web"})
	if h.waits != nil {
		select {
		case <-h.waits:
		case <-ctx.Done():
			close(h.gaveUp)
			return Outcome{Error: ctx.Err().Error()}
		}
	}
	return Outcome{Error: "no service \"web\"", Hint: "did you mean api?", ExitCode: 6}
}

func (h *holder) Restart(_ context.Context, names []string, tell func(Line)) Outcome {
	for _, name := range names {
		tell(Line{Err: "started " + name})
	}
	return Outcome{ExitCode: len(names)}
}

func (h *holder) Down(tell func(Line)) Outcome {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.downs++
	tell(Line{Out: "restored"})
	return Outcome{}
}

// serve has a holder answer as session "shop", until the test ends.
func serve(t *testing.T, h *holder) (d Directory, stop func()) {
	t.Helper()
	d = newDirectory(t)
	place, err := d.Claim("shop")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, place.Listener, h) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-served)
		require.NoError(t, place.Close())
	})
	t.Cleanup(stop)
	return d, stop
}

// within bounds a test's call.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), testTimeout, errors.New("the test has waited long enough"))
	t.Cleanup(cancel)
	return ctx
}
