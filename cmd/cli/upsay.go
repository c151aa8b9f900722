package cli

import (
	"bytes"
	"io"
	"sync"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/output"
)

// sayings is what a session says: to its log, to its terminal if it has one, and to
// the command that has just told it to do something.
type sayings struct {
	log      io.Writer
	terminal output.Streams // Out and Err are nil without one

	mu        sync.Mutex
	listeners map[int]func(background.Word)
	last      int
}

// streams are those for the session's printers.
func (s *sayings) streams() output.Streams {
	return output.Streams{
		Out: &saying{sayings: s, terminal: s.terminal.Out, word: func(line string) background.Word { return background.Word{Out: line} }},
		Err: &saying{sayings: s, terminal: s.terminal.Err, word: func(line string) background.Word { return background.Word{Err: line} }},
		Env: s.terminal.Env, Terminal: s.terminal.Terminal,
	}
}

// listen has what is said from now on told to tell, until the returned function is
// called.
func (s *sayings) listen(tell func(background.Word)) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listeners == nil {
		s.listeners = make(map[int]func(background.Word))
	}
	s.last++
	number := s.last
	s.listeners[number] = tell
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.listeners, number)
	}
}

// saying is one of the streams.
type saying struct {
	*sayings
	terminal io.Writer
	word     func(line string) background.Word
	part     []byte // of a line that has no end yet
}

// Write implements io.Writer. It never fails: nobody may be there to hear.
func (s *saying) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.Write(p)
	if s.terminal != nil {
		s.terminal.Write(p)
	}
	s.part = append(s.part, p...)
	for {
		line, rest, whole := bytes.Cut(s.part, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		s.part = rest
		for _, tell := range s.listeners {
			tell(s.word(string(line)))
		}
	}
}
