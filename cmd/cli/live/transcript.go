package live

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/devtun/devtun/internal/lines"
)

const (
	// keptLines bounds what is held back for the time after the view. A session may
	// stand for days.
	keptLines = 1000
	// shownLines bounds what of it is handed to the view.
	shownLines = 20
)

// Transcript is where a command prints that has a live view: straight to its own
// writers while there is no view, and what it prints meanwhile afterwards.
type Transcript struct {
	mu      sync.Mutex
	out     *stream
	err     *stream
	holding bool
	held    []line
	lost    int    // lines that were too many to be held
	recent  []line // the last ones, newest last
	warning *line  // the last of its kind
}

// line is a line of what was printed.
type line struct {
	at   time.Time
	to   *stream
	text string // without its end
	done int    // so much of it has been written
}

// kind is the word that a line begins with, as "warning".
func (l line) kind() string {
	word, _, _ := strings.Cut(l.text, ":")
	return word
}

// NewTranscript returns one for what goes to out and err.
func NewTranscript(out, err io.Writer) *Transcript {
	t := &Transcript{}
	t.out, t.err = &stream{of: t, to: out}, &stream{of: t, to: err}
	return t
}

// Out and Err are the writers for the command.
func (t *Transcript) Out() io.Writer { return t.out }
func (t *Transcript) Err() io.Writer { return t.err }

// stream is one of the two.
type stream struct {
	of   *Transcript
	to   io.Writer
	rest lines.Splitter
	done int // so much of a line that is not complete has been written
}

func (s *stream) Write(p []byte) (int, error) {
	t := s.of
	t.mu.Lock()
	defer t.mu.Unlock()
	for text := range s.rest.Add(p) {
		t.note(line{time.Now(), s, text, s.done})
		s.done = 0
	}
	if t.holding {
		return len(p), nil
	}
	s.done = len(s.rest.Part())
	return s.to.Write(p)
}

// note keeps a line for the view and, while that is there, for later.
func (t *Transcript) note(l line) {
	t.recent = append(t.recent[max(0, len(t.recent)-shownLines+1):], l)
	switch l.kind() {
	case "warning":
		t.warning = &l
	case "recovered":
		t.warning = nil
	}
	if !t.holding {
		return
	}
	if len(t.held) == keptLines {
		t.held = t.held[1:]
		t.lost++
	}
	t.held = append(t.held, l)
}

// last is the last lines, oldest first, and before them the last warning, if it
// would be missing.
func (t *Transcript) last() []line {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w := t.warning; w != nil && w.at.Before(t.recent[0].at) {
		return append([]line{*w}, t.recent...)
	}
	return slices.Clone(t.recent)
}

// Holding reports whether a view has the terminal.
func (t *Transcript) Holding() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.holding
}

// hold keeps back what is printed from now on.
func (t *Transcript) hold() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.holding = true
}

// release prints what was held back, and no longer holds.
func (t *Transcript) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lost > 0 {
		fmt.Fprintf(t.err.to, "note: %d earlier lines were left out\n", t.lost)
	}
	for _, l := range t.held {
		_, _ = io.WriteString(l.to.to, l.text[l.done:]+"\n") // who reads it may have gone
	}
	for _, s := range []*stream{t.out, t.err} {
		_, _ = io.WriteString(s.to, s.rest.Part()[s.done:]) // who reads it may have gone
		s.done = len(s.rest.Part())
	}
	t.holding, t.held, t.lost = false, nil, 0
}
