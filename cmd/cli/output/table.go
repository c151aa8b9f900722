package output

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"github.com/devtun/devtun/cmd/cli/live"
	"github.com/devtun/devtun/cmd/cli/status"
)

// Table writes events as lines beneath a live table (package live), which shows the
// services itself. The table comes with Show, when everything stands: until then sudo may
// ask for a password, and there is not much to see. Nil is none.
type Table struct {
	lines   *Lines
	config  live.Config
	printed *live.Transcript
	errors  io.Writer // standard error, as it is while there is a table
	cover   Cover
	turns   chan func(context.Context)
	over    chan struct{} // of one that is shown: closed when it has been
	closing chan struct{}
	running sync.WaitGroup
	show    sync.Once
}

// Cover has programs that need the terminal ask aside for it, and write to errors, until
// ctx ends or the returned function is called. Aside returns when its context ends or run has
// returned, or will not be called any more.
type Cover func(ctx context.Context, errors io.Writer, aside Aside) (uncover func())

// Aside has run called while the terminal is free for it.
type Aside = func(ctx context.Context, run func(context.Context))

// TableConfig says what a table shows, where.
type TableConfig struct {
	Tracker *status.Tracker
	// Quit ends the command. The user's next wish to end is a Ctrl-C, as without a table.
	Quit     func()
	Cover    Cover
	In       io.Reader
	Out, Err io.Writer
	Env      []string // TERM and the like
	Look     Look
}

// NewTable returns a table, or nil if there is no terminal for it. The caller closes it.
func NewTable(c TableConfig) *Table {
	if !live.Possible(c.In, Underlying(c.Out), c.Env) {
		return nil
	}
	return newTable(c)
}

func newTable(c TableConfig) *Table {
	t := &Table{
		printed: live.NewTranscript(c.Out, c.Err), errors: c.Err, cover: c.Cover,
		turns: make(chan func(context.Context)), closing: make(chan struct{}),
	}
	t.config = live.Config{
		Next: live.Follow(c.Tracker), Transcript: t.printed, Quit: insisting(c.Quit), Turns: t.turns,
		In: c.In, Out: Underlying(c.Out), Env: c.Env, Colour: c.Look.Colour,
	}
	if isTerminal(c.Err) { // a file gets each line at once
		t.errors = t.printed.Err()
	}
	t.lines = NewLines(t.printed.Out(), t.errors, c.Look)
	return t
}

// Write implements Writer. What the table shows itself is left out.
func (t *Table) Write(event Event) {
	if service, is := event.(Service); !is || service.State == serviceFailed {
		t.lines.Write(event)
	}
}

// Show begins to show the table, if it has not begun. Its keys do acts.
func (t *Table) Show(acts live.Acts) {
	if t == nil {
		return
	}
	t.show.Do(func() {
		ctx, end := context.WithCancel(context.Background())
		t.over, t.config.Acts = make(chan struct{}), acts
		t.running.Go(func() {
			<-t.closing
			end()
		})
		t.running.Go(func() {
			defer close(t.over)
			defer t.cover(ctx, t.errors, t.aside)()
			if err := live.Run(ctx, t.config); err != nil { // the session is more than its table
				fmt.Fprintf(t.printed.Err(), "warning: %v\n", err)
			}
		})
	})
}

// Shows reports that the table has the terminal.
func (t *Table) Shows() bool { return t != nil && t.printed.Holding() }

// Close ends the table and then prints what was written meanwhile.
func (t *Table) Close() {
	if t == nil {
		return
	}
	close(t.closing)
	t.running.Wait()
}

// aside has run called while the table does not have the terminal, unless ctx or the
// table ends before.
func (t *Table) aside(ctx context.Context, run func(context.Context)) {
	ran := make(chan struct{})
	turn := func(ctx context.Context) {
		defer close(ran)
		run(ctx)
	}
	select {
	case t.turns <- turn:
	case <-t.over:
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-ran:
	case <-t.over:
	}
}

// insisting is quit the first time. After that it is a Ctrl-C, which the terminal itself
// sends to nobody while it shows a table.
func insisting(quit func()) func() {
	asked := false
	return func() {
		if !asked {
			asked = true
			quit()
			return
		}
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Signal(os.Interrupt) // not to be had on Windows
		}
	}
}

func isTerminal(stream io.Writer) bool {
	file, ok := Underlying(stream).(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
