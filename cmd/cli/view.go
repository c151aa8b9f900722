package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"github.com/devtun/devtun/cmd/cli/credential"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/live"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/dns/helper"
)

// view is the live view of a command, which begins when everything stands: until
// then sudo may ask for a password, and there is not much to see. Nil is none:
// lines are printed.
type view struct {
	config  live.Config
	said    *live.Transcript
	ending  context.Context // ends with the command
	end     context.CancelFunc
	errors  io.Writer // standard error, as it is while there is a view
	turns   chan func(context.Context)
	over    chan struct{} // of one that is shown: closed when it has been
	running sync.WaitGroup
	begin   sync.Once
}

// openView makes a view of what the tracker knows, on streams' terminal if there is
// one and lines are not wanted. What is printed to streams from then on is its
// business. Its user ends the command by quit, and what that still waits for by
// Ctrl-C, as without a view. The caller closes it.
func openView(streams *output.Streams, tracker *status.Tracker, lines bool, quit func()) *view {
	if lines || !live.Possible(streams.In, underlying(streams.Out), streams.Env) {
		return nil
	}
	ending, end := context.WithCancel(context.Background())
	v := &view{said: live.NewTranscript(streams.Out, streams.Err), ending: ending, end: end, turns: make(chan func(context.Context))}
	v.config = live.Config{
		Next: live.Follow(tracker), Said: v.said, Quit: insisting(quit), Turns: v.turns,
		In: streams.In, Out: underlying(streams.Out), Env: streams.Env, Colour: streams.Colour,
	}
	streams.Out = v.said.Out()
	if isTerminal(streams.Err) { // a file gets what is said at once
		streams.Err = v.said.Err()
	}
	v.errors = streams.Err
	return v
}

// insisting is quit the first time. After that it is a Ctrl-C, which the terminal itself
// sends to nobody while it shows a view.
func insisting(quit func()) func() {
	asked := false
	return func() {
		if !asked {
			asked = true
			quit()
			return
		}
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			self.Signal(os.Interrupt) // not to be had on Windows
		}
	}
}

func isTerminal(stream io.Writer) bool {
	file, ok := underlying(stream).(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// show begins to show the view, if it has not begun.
func (v *view) show() {
	if v == nil {
		return
	}
	v.begin.Do(func() {
		v.over = make(chan struct{})
		v.running.Go(func() {
			defer close(v.over)
			defer kube.Logins.Cover(v.ending, credential.Cover{Said: v.errors, Aside: v.aside})()
			if err := live.Run(v.ending, v.config); err != nil { // the session is more than its view
				fmt.Fprintf(v.said.Err(), "warning: %v\n", err)
			}
		})
	})
}

// aside has run called while the view does not have the terminal, unless ctx or the
// view ends before.
func (v *view) aside(ctx context.Context, run func(context.Context)) {
	ran := make(chan struct{})
	turn := func(ctx context.Context) {
		defer close(ran)
		run(ctx)
	}
	select {
	case v.turns <- turn:
	case <-v.over:
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-ran:
	case <-v.over:
	}
}

// close ends the view and then prints what was said meanwhile.
func (v *view) close() {
	if v == nil {
		return
	}
	v.end()
	v.running.Wait()
}

// start is a helper.Start that asks for no password while there is a view.
func (v *view) start(start helper.Start) helper.Start {
	if v == nil {
		return start
	}
	return func(ctx context.Context, ask bool) (*helper.Client, error) {
		return start(ctx, ask && !v.said.Holding())
	}
}

// tell passes on to tell what a view does not show itself.
func (v *view) tell(tell func(forwards.Event)) func(forwards.Event) {
	if v == nil {
		return tell
	}
	return func(event forwards.Event) {
		if event.Service == nil || event.Service.State == forwards.Failed {
			tell(event)
		}
	}
}
