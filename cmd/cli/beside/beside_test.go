package beside

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/tunnel/discovery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// intercepted is a planned of a service that is left out alone.
type intercepted struct {
	service discovery.Key
	local   string
	begun   chan struct{} // closed when it is held
	failed  error         // what it ends with after ctx
}

func (p *intercepted) left() []discovery.Key { return []discovery.Key{p.service} }
func (p *intercepted) locals() []string      { return []string{p.local} }
func (p *intercepted) run(ctx context.Context) error {
	close(p.begun)
	<-ctx.Done()
	return p.failed
}

// world is a session of forwards of web, api and db, and what is done to it.
type world struct {
	*Intercepts
	plans map[string]*intercepted

	mu     sync.Mutex
	left   []string // of each selection, what it leaves out
	events []output.Event
}

// Write implements output.Writer.
func (w *world) Write(e output.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

func newWorld(t *testing.T, ctx context.Context) *world {
	t.Helper()
	w := &world{plans: make(map[string]*intercepted)}
	for _, name := range []string{"web", "api", "db"} {
		key := discovery.Key{Namespace: "demo", Name: name}
		w.plans[name] = &intercepted{service: key, local: "localhost:" + name, begun: make(chan struct{})}
	}
	selected, err := selection.New(selection.Flags{Namespaces: []string{"demo"}, Except: []string{"other"}}, "demo")
	require.NoError(t, err)
	w.Intercepts = New(forward.Session{
		Selected: selected, Out: w, Ending: func() bool { return ctx.Err() != nil },
		Within: func(d time.Duration) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, d) },
		Reselect: func(_ context.Context, s *selection.Selection) error {
			var left []string
			for _, name := range []string{"other", "web", "api", "db"} {
				if s.Except[discovery.Key{Namespace: "demo", Name: name}] {
					left = append(left, name)
				}
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.left = append(w.left, strings.Join(left, " "))
			return nil
		},
	}).(*Intercepts)
	w.open = func(_ context.Context, service discovery.Key) (planned, error) {
		if p := w.plans[service.Name]; p != nil {
			return p, nil
		}
		return nil, errors.New("no such thing")
	}
	return w
}

func TestToggle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		defer end()
		w := newWorld(t, ctx)
		require.Equal(t, "intercepting web", w.Toggle(ctx, false, "demo", "web"))
		<-w.plans["web"].begun
		require.Equal(t, "intercepting api", w.Toggle(ctx, false, "demo", "api"))
		<-w.plans["api"].begun
		require.Equal(t, "giving web back", w.Toggle(ctx, true, "demo", "web"))
		require.Contains(t, []string{"web is being given back"}, w.Toggle(ctx, true, "demo", "web"))
		synctest.Wait()
		require.Equal(t, []string{"other web", "other web api", "other api"}, w.left)
		require.Equal(t, "main is what this session is for: q gives it back", w.Toggle(ctx, true, "demo", "main"))

		w.plans["api"].failed = errors.New("the API server is away")
		end()
		require.EqualError(t, w.Wait(), "the API server is away")
		require.Equal(t, []string{"other web", "other web api", "other api"}, w.left, "at the end nothing is forwarded anew")
		require.Equal(t, "the session is ending", w.Toggle(ctx, false, "demo", "db"))
	})
}

// TestWhatCannotBe is told, and all goes on as before.
func TestWhatCannotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		defer end()
		w := newWorld(t, ctx)
		w.Toggle(ctx, false, "demo", "unknown")
		synctest.Wait()
		require.Empty(t, w.left)
		require.Equal(t, output.Note{Message: "unknown is not intercepted: no such thing"}, w.events[0])

		w.plans["api"].local = w.plans["web"].local
		w.Toggle(ctx, false, "demo", "web")
		<-w.plans["web"].begun
		w.Toggle(ctx, false, "demo", "api")
		synctest.Wait()
		require.Equal(t, output.Note{Message: "api is not intercepted: the process for web is to listen on localhost:web, " +
			"too",
			Hint: "intercept it with 'devtun intercept --port LOCAL:PORT' in another terminal"}, w.events[1])
		require.Equal(t, []string{"other web"}, w.left)
		end()
		require.NoError(t, w.Wait())
	})
}
