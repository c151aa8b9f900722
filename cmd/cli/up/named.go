package up

import (
	"fmt"
	"io"
	"sync"

	"github.com/devtun/devtun/internal/lines"
)

// maxLine bounds a line of a program, in bytes.
const maxLine = 1 << 20

// namedStream is a stream of a program, whose lines begin with its name where the session
// has several.
type namedStream struct {
	session *session
	name    string
	to      io.Writer

	mu   sync.Mutex
	said lines.Splitter
}

// named are the streams for a program of that name.
func (s *session) named(name string) (out, err *namedStream) {
	streams := s.log.streams()
	stream := func(to io.Writer) *namedStream {
		return &namedStream{session: s, name: name, to: to, said: lines.Splitter{Max: maxLine}}
	}
	return stream(streams.Out), stream(streams.Err)
}

// Write implements io.Writer. Lines are passed on when they are whole.
func (n *namedStream) Write(piece []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for line := range n.said.Add(piece) {
		n.pass(line)
	}
	return len(piece), nil
}

// flush passes on what is left, once the program has ended.
func (n *namedStream) flush() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if rest := n.said.Take(); rest != "" {
		n.pass(rest)
	}
}

func (n *namedStream) pass(line string) {
	if width := n.session.nameWidth.Load(); width > 0 {
		line = fmt.Sprintf("%-*s | %s", width, n.name, line)
	}
	_, _ = fmt.Fprintln(n.to, line) // a log's stream never fails
}
