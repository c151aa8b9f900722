package wire

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// ErrGone ends a link that the far side has ended, or whose process is gone.
var ErrGone = errors.New("the far side has gone")

// maxLine bounds, in bytes, a line on the control stream.
const maxLine = 64 << 10

// outbox is the control stream's sending side. Nobody who sends ever waits.
type outbox struct {
	mu      sync.Mutex
	pending []byte
	ready   chan struct{} // holds a token while something is pending
}

func newOutbox() *outbox { return &outbox{ready: make(chan struct{}, 1)} }

// post queues m.
func (o *outbox) post(m Message) {
	line, err := json.Marshal(m)
	if err != nil {
		panic(err) // a Message holds nothing that JSON does not
	}
	o.mu.Lock()
	o.pending = append(append(o.pending, line...), '\n')
	o.mu.Unlock()
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// send writes what is posted to w until ended is closed or a write fails.
func (o *outbox) send(w io.Writer, ended <-chan struct{}) error {
	for {
		select {
		case <-o.ready:
		case <-ended:
			return nil
		}
		o.mu.Lock()
		batch := o.pending
		o.pending = nil
		o.mu.Unlock()
		if _, err := w.Write(batch); err != nil {
			return fmt.Errorf("write control stream: %w", err)
		}
	}
}

// receive gives each message from r to handle, in order, until reading fails.
func receive(r io.Reader, handle func(Message)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4<<10), maxLine)
	for lines.Scan() {
		var m Message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return fmt.Errorf("read control stream: %w", err)
		}
		handle(m)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read control stream: %w", err)
	}
	return ErrGone
}
