package intercept

import (
	"bytes"
	"context"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/plan"
)

// stays is a session with connections that never end.
type stays struct{ open int }

func (s stays) Summary() intercept.Summary { return intercept.Summary{Open: s.open} }

func (s stays) Drain(ctx context.Context) error {
	if s.open == 0 {
		return nil
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

func (s stays) Leave(ctx context.Context) error { return s.Drain(ctx) }

// watched is a buffer that tells of what is written.
type watched struct {
	mu     sync.Mutex
	buffer bytes.Buffer
	wrote  chan struct{}
}

func newWatched() *watched { return &watched{wrote: make(chan struct{}, 100)} }

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrote <- struct{}{}
	return w.buffer.Write(p)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buffer.String()
}

// endingIntercept is one that says on said what it waits for.
func endingIntercept(said *watched) *Planned {
	return &Planned{
		Events: &Events{Audience: Audience{Out: console.NewWriter(output.Streams{Err: said}, "", false)}},
		plan:   &plan.Plan{Name: "web", Namespace: "demo", Workload: plan.Object{Kind: "Deployment", Name: "web"}},
	}
}

// interrupt is another Ctrl-C, for which somebody has to wait.
func interrupt(t *testing.T) {
	t.Helper()
	self, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	require.NoError(t, self.Signal(os.Interrupt))
}

// TestASecondInterruptCutsOffWhatIsUnderWay: it is said what is waited for and how long.
func TestASecondInterruptCutsOffWhatIsUnderWay(t *testing.T) {
	said := newWatched()
	var draining sync.WaitGroup
	endingIntercept(said).drain(t.Context(), stays{open: 2}, &draining)
	require.Equal(t,
		"the traffic goes to the cluster again; waiting up to 30s for 2 connections under way: Ctrl-C cuts them off\n",
		said.String())
	interrupt(t)
	draining.Wait()
	require.Contains(t, said.String(), "\ncutting off 2 connections\n")
}

func TestNothingIsWaitedForWithoutConnections(t *testing.T) {
	said := newWatched()
	var draining sync.WaitGroup
	endingIntercept(said).drain(t.Context(), stays{}, &draining)
	draining.Wait()
	require.Equal(t, "the traffic goes to the cluster again\n", said.String())
}

// TestARestoreThatTakesLongIsGivenUpByCtrlC once that was said, and not before.
func TestARestoreThatTakesLongIsGivenUpByCtrlC(t *testing.T) {
	said := newWatched()
	err := endingIntercept(said).undo(t.Context(), 0, func(ctx context.Context) error {
		<-said.wrote
		interrupt(t)
		<-ctx.Done()
		return context.Cause(ctx)
	})
	require.ErrorIs(t, err, errGivenUp)
	require.Equal(t,
		"waiting up to 1m0s for the API server, to restore Deployment \"web\": Ctrl-C gives up, and 'devtun restore web "+
			"-n demo' does it later\n", said.String())
}

func TestASessionInTheBackgroundIsToldOfNoKeys(t *testing.T) {
	said := newWatched()
	i := endingIntercept(said)
	i.Events.Unattended = true
	ctx, cancel := context.WithCancel(t.Context())
	var draining sync.WaitGroup
	i.drain(ctx, stays{open: 1}, &draining)
	cancel()
	draining.Wait()
	require.Equal(t, "the traffic goes to the cluster again; waiting up to 30s for 1 connection under way\n",
		said.String())
}
