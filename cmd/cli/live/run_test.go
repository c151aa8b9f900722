package live

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/tunnel/discovery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testTimeout = 10 * time.Second

// paper is a terminal that can be read while it is written.
type paper struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *paper) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func TestRun(t *testing.T) {
	var out, complaints paper
	transcript := NewTranscript(&out, &complaints)
	io.WriteString(transcript.Out(), "before\n")
	keys, hand := io.Pipe()
	defer hand.Close()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	asked := make(chan struct{})
	ended := make(chan error, 1)
	tracker := status.NewTracker("", "")
	go func() {
		ended <- Run(ctx,
			Config{Next: Follow(tracker), Transcript: transcript, Quit: func() { close(asked) }, In: keys, Out: &out})
	}()
	shows := func(text string) {
		t.Helper()
		require.Eventually(t, func() bool { return strings.Contains(out.String(), text) }, testTimeout, time.Millisecond,
			text)
	}
	shows("no services")
	tracker.Forward(forwards.Event{Service: &forwards.ServiceEvent{State: forwards.Ready,
		Service: discovery.Key{Namespace: "demo", Name: "web"}, Address: "127.9.9.9", Use: new(forwards.Use)}})
	shows("127.9.9.9")
	require.True(t, transcript.Holding())
	io.WriteString(transcript.Err(), "warning: look\n")
	shows("look")
	require.Empty(t, complaints.String(), "not yet")
	hand.Write([]byte("q"))
	<-asked
	shows("putting everything back")
	select {
	case err := <-ended:
		require.Fail(t, "the view has ended by itself", err)
	default:
	}
	end()
	require.NoError(t, <-ended)
	require.Equal(t, "warning: look\n", complaints.String())
	require.False(t, transcript.Holding())
}

func TestTheEndOfASessionElsewhereEndsItsView(t *testing.T) {
	over := errors.New("the session has ended")
	var out paper
	err := Run(t.Context(),
		Config{Next: func(context.Context) (status.Snapshot, error) { return status.Snapshot{}, over },
			In: strings.NewReader(""), Out: &out})
	require.ErrorIs(t, err, over)
}

func TestLeaving(t *testing.T) {
	keys, hand := io.Pipe()
	defer hand.Close()
	var out paper
	ended := make(chan error, 1)
	go func() {
		ended <- Run(t.Context(), Config{Next: Follow(status.NewTracker("", "")), In: keys, Out: &out})
	}()
	hand.Write([]byte("q"))
	require.NoError(t, <-ended)
}

func TestTranscript(t *testing.T) {
	var out, complaints bytes.Buffer
	transcript := NewTranscript(&out, &complaints)
	io.WriteString(transcript.Out(), "one\ntw")
	require.Equal(t, "one\ntw", out.String(), "without a view everything goes on as it comes")
	transcript.hold()
	io.WriteString(transcript.Out(), "o\nthree\n")
	io.WriteString(transcript.Err(), "and ")
	io.WriteString(transcript.Err(), "this\n")
	require.Equal(t, "one\ntw", out.String())
	require.Equal(t, []string{"one", "two", "three", "and this"}, since(transcript, 0))
	require.Equal(t, []string{"and this"}, since(transcript, 3))
	require.Empty(t, since(transcript, 4))
	transcript.release()
	require.Equal(t, "one\ntwo\nthree\n", out.String())
	require.Equal(t, "and this\n", complaints.String())
	io.WriteString(transcript.Out(), "four\n")
	require.Equal(t, "one\ntwo\nthree\nfour\n", out.String())

	transcript.hold()
	for range keptLines + 5 {
		io.WriteString(transcript.Err(), "x\n")
	}
	complaints.Reset()
	transcript.release()
	require.Equal(t, keptLines+1, strings.Count(complaints.String(), "\n"))
	require.Contains(t, complaints.String(), "note: 5 earlier lines were left out\n")
	require.Len(t, since(transcript, 0), keptLines, "so does the view forget")
}

// since is what a transcript has after so many lines.
func since(t *Transcript, seen int) (texts []string) {
	news, _ := t.since(seen)
	for _, s := range news {
		texts = append(texts, s.text)
	}
	return texts
}

func TestOnlyTerminalsHaveAView(t *testing.T) {
	reader, writer := io.Pipe()
	require.False(t, Possible(reader, writer, nil))
}

// TestLogsEndWithTheView, and come meanwhile; why there are none is shown.
func TestLogsEndWithTheView(t *testing.T) {
	for _, failed := range []error{nil, errors.New("they need a right")} {
		keys, hand := io.Pipe()
		defer hand.Close()
		var out paper
		ended, over := make(chan error, 1), make(chan struct{})
		tracker := status.NewTracker("", "")
		tracker.Forward(forwards.Event{Service: &forwards.ServiceEvent{State: forwards.Ready,
			Service: discovery.Key{Namespace: "demo", Name: "web"}, Address: "127.9.9.9", Use: new(forwards.Use)}})
		tracker.Forward(forwards.Event{Endpoints: &forwards.EndpointsEvent{
			Service: discovery.Key{Namespace: "demo", Name: "web"}, Ready: []string{"web-a"}}})
		logs := func(ctx context.Context, pods Pods, tell func(string)) error {
			defer close(over)
			tell("hello of " + strings.Join(pods.Names, " "))
			if failed == nil {
				<-ctx.Done()
			}
			return failed
		}
		go func() {
			ended <- Run(t.Context(), Config{Next: Follow(tracker), Acts: Acts{Logs: logs}, In: keys, Out: &out})
		}()
		shows := func(text string) {
			t.Helper()
			require.Eventually(t, func() bool { return strings.Contains(out.String(), text) }, testTimeout, time.Millisecond)
		}
		shows("127.9.9.9")
		hand.Write([]byte("ll"))
		shows("hello of web-a")
		if failed != nil {
			shows("they need a right")
		}
		hand.Write([]byte("q"))
		require.NoError(t, <-ended)
		<-over
	}
}

func TestTheViewStepsAside(t *testing.T) {
	keys, hand := io.Pipe()
	defer hand.Close()
	var out paper
	ctx, end := context.WithCancel(t.Context())
	defer end()
	ended := make(chan error, 1)
	turns := make(chan func(context.Context))
	tracker := status.NewTracker("", "")
	go func() { ended <- Run(ctx, Config{Next: Follow(tracker), Turns: turns, In: keys, Out: &out}) }()
	shows := func(text string) {
		t.Helper()
		require.Eventually(t, func() bool { return strings.Contains(out.String(), text) }, testTimeout, time.Millisecond,
			"%s in %q", text, &out)
	}
	shows("no services")
	done := make(chan string)
	turns <- func(context.Context) {
		before := out.String()
		tracker.SetState(status.Ready)
		io.WriteString(&out, "PIN: ")
		done <- before
	}
	before := <-done
	require.Contains(t, before, "\x1b[?1049l", "the screen is the terminal's own again")

	turns <- func(ctx context.Context) { // that it is drawn again needs a terminal: e2e
		done <- out.String()
		<-ctx.Done() // it wants to stay
	}
	require.Contains(t, <-done, before+"PIN: ", "nothing was drawn meanwhile")
	end()
	require.NoError(t, <-ended, "the end is the end of a turn")
}
