package up

import (
	"fmt"
	"io"
	"sync"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/internal/lines"
)

// sessionLog takes what a session says: for its log file, for its terminal if it has one,
// and for the commands that have just told it to do something.
type sessionLog struct {
	file     io.Writer
	terminal output.Streams // Out and Err are nil without one

	mu        sync.Mutex
	listeners map[*listening]struct{}
}

// listening is a command that is told what is said.
type listening struct{ tell func(background.Line) }

func newSessionLog(file io.Writer, terminal output.Streams) *sessionLog {
	return &sessionLog{file: file, terminal: terminal, listeners: make(map[*listening]struct{})}
}

// streams are those for the session's printers.
func (l *sessionLog) streams() output.Streams {
	out := func(line string) background.Line { return background.Line{Out: line} }
	err := func(line string) background.Line { return background.Line{Err: line} }
	return output.Streams{
		Out: &logStream{log: l, terminal: l.terminal.Out, line: out},
		Err: &logStream{log: l, terminal: l.terminal.Err, line: err},
		Env: l.terminal.Env, Terminal: l.terminal.Terminal,
	}
}

// listen has what is said from now on told to tell, until the returned function is
// called.
func (l *sessionLog) listen(tell func(background.Line)) (stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	listener := &listening{tell}
	l.listeners[listener] = struct{}{}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.listeners, listener)
	}
}

// logStream is one of the streams.
type logStream struct {
	log      *sessionLog
	terminal io.Writer // nil: none
	line     func(text string) background.Line
	said     lines.Splitter
}

// Write implements io.Writer. It never fails: nobody may be there to hear.
func (s *logStream) Write(p []byte) (int, error) {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	_, _ = s.log.file.Write(p)
	if s.terminal != nil {
		_, _ = s.terminal.Write(p)
	}
	for line := range s.said.Add(p) {
		for listener := range s.log.listeners {
			listener.tell(s.line(line))
		}
	}
	return len(p), nil
}

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
