package credential

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"

	"github.com/devtun/devtun/internal/lines"
)

// Cover is what has the terminal, so that plugins do not: a table, or a command. They
// are then told that nobody can be asked, and run in a session of their own, where no
// terminal is to be found.
type Cover struct {
	// Said gets what plugins say, in whole lines, each with its plugin's name.
	Said io.Writer
	// Aside, unless nil, steps aside for plugins that cannot do without the terminal:
	// it frees it, calls run once and takes it again. The context that it gives ends
	// when the terminal is wanted back; run then ends soon. Aside returns when ctx ends
	// or run has, or will not be called any more.
	Aside func(ctx context.Context, run func(context.Context))
}

// Cover has the terminal covered until the returned function is called. It waits for a
// plugin that has it, until ctx ends.
func (g *Gate) Cover(ctx context.Context, cover Cover) (uncover func()) {
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.covered
	g.covered = &cover
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.covered = before
	}
}

// aside runs a plugin while the cover steps aside.
func (c *Cover) aside(ctx context.Context, run func(context.Context) (*credentials, error)) (*credentials, error) {
	type result struct {
		*credentials
		error
	}
	results := make(chan result, 1)
	c.Aside(ctx, func(lent context.Context) {
		both, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(lent, func() { cancel(errEnded) })()
		creds, err := run(both)
		results <- result{creds, err}
	})
	select {
	case r := <-results:
		return r.credentials, r.error
	default:
		return nil, errEnded
	}
}

// terminal is a plugin's standard input and error.
type terminal struct {
	input  *os.File  // nil: nobody can be asked
	errors io.Writer // a file is handed on as it is
	alone  bool      // in a session of its own
	why    string    // there is no input
}

// terminal is this process's, as far as it has one.
func (g *Gate) terminal() terminal {
	t := terminal{errors: g.errors}
	switch {
	case !term.IsTerminal(int(g.input.Fd())):
		t.why = "standard input is not a terminal"
	case !foreground(g.input): // whoever reads it would be stopped
		t.why, t.alone = "devtun runs in the background of its terminal", true
	default:
		t.input = g.input
	}
	return t
}

// without is none; c may be nil.
func (c *Cover) without() terminal {
	t := terminal{errors: io.Discard, alone: true, why: "the terminal is in use"}
	if c != nil {
		t.errors = c.Said
	}
	return t
}

// longestLine bounds, in bytes, what is kept of a line that a plugin says.
const longestLine = 1 << 10

// notes passes on what a plugin says, in lines that nothing in them can break.
type notes struct {
	name string
	to   io.Writer
	part lines.Splitter
	last string // line, that has something in it
}

func (l *notes) Write(p []byte) (int, error) {
	for line := range l.part.Add(p) {
		l.pass(line)
	}
	return len(p), nil
}

// flush passes on what there is of a line.
func (l *notes) flush() { l.pass(l.part.Take()) }

func (l *notes) pass(said string) {
	line := strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(said, "")))
	if line != "" {
		l.last = line
		fmt.Fprintf(l.to, "note: %s says: %s\n", l.name, line)
	}
}
