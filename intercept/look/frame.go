package look

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/devtun/devtun/tunnel/proxy"
)

// Head is the first of a copy: a request's, or, with no Method, that of a whole
// connection.
type Head struct {
	Protocol  proxy.Protocol `json:"protocol"`
	Method    string         `json:"method,omitempty"`
	Target    string         `json:"target,omitempty"`
	Authority string         `json:"authority,omitempty"`
	Scheme    string         `json:"scheme,omitempty"`
	Extended  string         `json:"extended,omitempty"` // HTTP/2's :protocol
	Header    [][]byte       `json:"header,omitempty"`   // HTTP/2: names and values in turn
	Raw       []byte         `json:"raw,omitempty"`      // HTTP/1: as it came
	Chunked   bool           `json:"chunked,omitempty"`  // HTTP/1: the body is to be
}

// Kinds of frames: one byte, then the payload's length (four bytes, big-endian), and the
// payload.
const (
	frameHead    = 'h' // JSON: Head
	frameBody    = 'b' // some of the body, or of what the client says
	frameTrailer = 't' // JSON: [][]byte, as Head.Header
	frameEnd     = 'e' // the request is whole; nothing follows
)

// maxFrame, in bytes, bounds a frame. A head is one of at most 64 KiB, as text.
const maxFrame = 1 << 20

// frame is one.
type frame struct {
	kind    byte
	payload []byte
}

// write sends a frame.
func (f frame) write(w io.Writer) error {
	if len(f.payload) > maxFrame {
		return errTooLong
	}
	head := append(make([]byte, 0, 5+len(f.payload)), f.kind)
	head = binary.BigEndian.AppendUint32(head, uint32(len(f.payload)))
	_, err := w.Write(append(head, f.payload...))
	return err
}

var errTooLong = errors.New("frame too long")

// readFrame reads what write sent, and no byte more.
func readFrame(r io.Reader) (frame, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	length := binary.BigEndian.Uint32(head[1:])
	if length > maxFrame {
		return frame{}, errTooLong
	}
	f := frame{head[0], make([]byte, length)}
	_, err := io.ReadFull(r, f.payload)
	return f, err
}

// Reader reads a copy.
type Reader struct {
	Head
	// Trailer is the trailer, once Read has returned io.EOF.
	Trailer []proxy.Field

	from io.Reader
	left []byte // of the body, read from from
	err  error
}

// NewReader reads a copy's head. What follows is read by Read.
func NewReader(from io.Reader) (*Reader, error) {
	f, err := readFrame(from)
	if err != nil {
		return nil, fmt.Errorf("read copy: %w", err)
	}
	r := &Reader{from: from}
	if f.kind != frameHead {
		return nil, fmt.Errorf("read copy: it begins with a frame of kind %q", f.kind)
	}
	if err := json.Unmarshal(f.payload, &r.Head); err != nil {
		return nil, fmt.Errorf("read copy: %w", err)
	}
	return r, nil
}

// Fields are the header's, of HTTP/2.
func (r *Reader) Fields() []proxy.Field { return fields(r.Header) }

// flat has names and values in turn: JSON's strings hold no arbitrary bytes.
func flat(fields []proxy.Field) (parts [][]byte) {
	for _, f := range fields {
		parts = append(parts, []byte(f.Name), []byte(f.Value))
	}
	return parts
}

// fields takes back what flat did.
func fields(parts [][]byte) (fields []proxy.Field) {
	for i := 0; i+1 < len(parts); i += 2 {
		fields = append(fields, proxy.Field{Name: string(parts[i]), Value: string(parts[i+1])})
	}
	return fields
}

// Read reads the body, without chunks. It returns io.EOF only if the copy is whole.
func (r *Reader) Read(p []byte) (int, error) {
	for len(r.left) == 0 && r.err == nil {
		r.next()
	}
	if len(r.left) == 0 {
		return 0, r.err
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

// IsEmpty reports that a request has no body, of a method of which few have one: it
// waits until that is known.
func (r *Reader) IsEmpty() bool {
	if r.Method != "GET" && r.Method != "HEAD" && r.Method != "DELETE" && r.Method != "OPTIONS" {
		return false
	}
	for len(r.left) == 0 && r.err == nil {
		r.next()
	}
	return len(r.left) == 0 && r.err == io.EOF
}

// next reads a frame.
func (r *Reader) next() {
	f, err := readFrame(r.from)
	switch {
	case err == io.EOF:
		r.err = io.ErrUnexpectedEOF
	case err != nil:
		r.err = err
	case f.kind == frameBody:
		r.left = f.payload
	case f.kind == frameTrailer:
		var parts [][]byte
		r.err = json.Unmarshal(f.payload, &parts)
		r.Trailer = fields(parts)
	case f.kind == frameEnd:
		r.err = io.EOF
	}
}
