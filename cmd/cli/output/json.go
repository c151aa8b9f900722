package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"
)

// together is how many bytes of services are written at once at the start.
const together = 64 << 10

// JSON writes events as objects, one a line, each with its type and the time.
type JSON struct {
	out, err io.Writer

	mu    sync.Mutex
	table []byte // services of the start, written with what comes after them
	begun bool   // services are written as they come
	ended bool
}

// NewJSON returns one that writes to out. What it cannot write it says on err.
func NewJSON(out, err io.Writer) *JSON { return &JSON{out: out, err: err} }

// Write implements Writer. After Stopped or Error nothing is written.
func (j *JSON) Write(event Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ended {
		return
	}
	j.ended = last(event)
	if err := j.write(event); err != nil && !errors.Is(err, ErrNoReader) {
		_, _ = io.WriteString(j.err, "devtun: write event: "+err.Error()+"\n") // who reads it may have gone
	}
}

// last reports that nothing comes after an event.
func last(event Event) bool {
	switch event.(type) {
	case Stopped, Error:
		return true
	}
	return false
}

// write writes an event. There may be thousands of services at the start, and each write is
// waited for.
func (j *JSON) write(event Event) error {
	text, err := object(event)
	if err != nil {
		return err
	}
	switch event.(type) {
	case Ready, Forwarding:
		j.begun = true
	case Service:
		if !j.begun && len(j.table)+len(text) < together {
			j.table = append(j.table, text...)
			return nil
		}
	}
	text, j.table = append(j.table, text...), nil
	_, err = j.out.Write(text)
	return err
}

// object is the event's fields, with two more, in the order of their names.
func object(event Event) ([]byte, error) {
	text, err := encode(event)
	if err != nil {
		return nil, err
	}
	fields := make(map[string]json.RawMessage)
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, err
	}
	for name, value := range map[string]string{"type": event.Type(), "time": time.Now().UTC().Format(time.RFC3339Nano)} {
		if fields[name], err = encode(value); err != nil {
			return nil, err
		}
	}
	return encode(fields)
}

// encode is a value as a line of JSON, with <, > and & as they are.
func encode(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return text.Bytes(), err
}
