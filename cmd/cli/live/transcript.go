package live

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/devtun/devtun/lines"
)

const (
	// keptLines bounds what is held back for the time after the view. A session may
	// stand for days.
	keptLines = 1000
	// shownLines bounds what of it is handed to the view.
	shownLines = 20
)

// Transcript is where a command prints that has a live view: straight to its own
// writers while there is no view, and what it says meanwhile afterwards.
type Transcript struct {
	mu      sync.Mutex
	out     *voice
	err     *voice
	holding bool
	held    []saying
	lost    int      // lines that were too many to be held
	recent  []saying // the last ones, newest last
	warning *saying  // the last of its kind
}

// saying is a line.
type saying struct {
	at   time.Time
	by   *voice
	text string // without its end
	done int    // so much of it has been printed
}

// kind is the word that a line begins with, as "warning".
func (s saying) kind() string {
	word, _, _ := strings.Cut(s.text, ":")
	return word
}

// NewTranscript returns one for what goes to out and err.
func NewTranscript(out, err io.Writer) *Transcript {
	t := &Transcript{}
	t.out, t.err = &voice{of: t, to: out}, &voice{of: t, to: err}
	return t
}

// Out and Err are the writers for the command.
func (t *Transcript) Out() io.Writer { return t.out }
func (t *Transcript) Err() io.Writer { return t.err }

// voice is one of the two.
type voice struct {
	of   *Transcript
	to   io.Writer
	rest lines.Splitter
	done int // so much of a line that is not complete has been printed
}

func (v *voice) Write(p []byte) (int, error) {
	t := v.of
	t.mu.Lock()
	defer t.mu.Unlock()
	for line := range v.rest.Add(p) {
		t.note(saying{time.Now(), v, line, v.done})
		v.done = 0
	}
	if t.holding {
		return len(p), nil
	}
	v.done = len(v.rest.Part())
	return v.to.Write(p)
}

// note keeps a line for the view and, while that is there, for later.
func (t *Transcript) note(s saying) {
	t.recent = append(t.recent[max(0, len(t.recent)-shownLines+1):], s)
	switch s.kind() {
	case "warning":
		t.warning = &s
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
	t.held = append(t.held, s)
}

// last is the last lines, oldest first, and before them the last warning, if it
// would be missing.
func (t *Transcript) last() []saying {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w := t.warning; w != nil && w.at.Before(t.recent[0].at) {
		return append([]saying{*w}, t.recent...)
	}
	return slices.Clone(t.recent)
}

// Holding reports whether a view has the terminal.
func (t *Transcript) Holding() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.holding
}

// hold keeps back what is said from now on.
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
	for _, s := range t.held {
		io.WriteString(s.by.to, s.text[s.done:]+"\n")
	}
	for _, v := range []*voice{t.out, t.err} {
		io.WriteString(v.to, v.rest.Part()[v.done:])
		v.done = len(v.rest.Part())
	}
	t.holding, t.held, t.lost = false, nil, 0
}
