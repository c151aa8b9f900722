package live

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/devtun/devtun/internal/lines"
)

// keptLines bounds what is held back for the time after the view, and what the view knows
// of. A session may stand for days.
const keptLines = 1000

// Transcript is where a command prints that has a live view: straight to its own
// writers while there is no view, and what it prints meanwhile afterwards.
type Transcript struct {
	mu      sync.Mutex
	out     *stream
	err     *stream
	holding bool
	held    []line
	lost    int    // lines that were too many to be held
	recent  []said // the last ones, newest last
	noted   int    // how many there were
}

// line is a line of what was printed.
type line struct {
	at   time.Time
	to   *stream
	text string // without its end
	done int    // so much of it has been written
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
	t.recent = append(t.recent[max(0, len(t.recent)-keptLines+1):], said{l.at, l.text})
	t.noted++
	if !t.holding {
		return
	}
	if len(t.held) == keptLines {
		t.held = t.held[1:]
		t.lost++
	}
	t.held = append(t.held, l)
}

// since is what was printed after so many lines, as far as it is kept, and how many there
// are now.
func (t *Transcript) since(seen int) (news []said, noted int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.recent[max(0, len(t.recent)-(t.noted-seen)):]), t.noted
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
