package agent

import (
	"bytes"
	"strconv"
	"strings"
)

// maxHead bounds, in bytes, the head of a response that is understood.
const maxHead = 64 << 10

// responses follows what a server sends, and knows whether it is between two
// HTTP/1 responses: only there can a connection be closed without a request
// being lost. Whatever it does not understand it calls opaque, for good.
type responses struct {
	opaque   bool
	complete bool // at least one response, and nothing after the last
	last     bool // the server will close after this response
	reading  func(*responses, []byte) []byte
	head     []byte // of the response, chunk or trailer being read
	left     int64  // of a body or a chunk
	asking   []byte // the last bytes that were asked, fewer than headMethod
}

// headMethod is how a request begins whose response has no body, whatever it says.
const headMethod = "HEAD "

// asked notes what a client sends. Where its requests begin is not followed, so the
// method counts wherever it stands, in a body too.
func (r *responses) asked(p []byte) {
	seam := append(r.asking, p[:min(len(p), len(headMethod)-1)]...)
	r.opaque = r.opaque || bytes.Contains(seam, []byte(headMethod)) || bytes.Contains(p, []byte(headMethod))
	last := p
	if len(p) < len(headMethod)-1 {
		last = seam
	}
	r.asking = append(r.asking[:0], last[max(0, len(last)-len(headMethod)+1):]...)
}

// sent notes what the server sends.
func (r *responses) sent(p []byte) {
	for len(p) > 0 && !r.opaque {
		r.complete = false
		if r.reading == nil {
			r.reading = (*responses).status
		}
		p = r.reading(r, p)
	}
}

// begun reports that there was a response, or the first byte of one, or that it
// cannot be known.
func (r *responses) begun() bool { return r.opaque || r.reading != nil || r.complete }

// between reports that the next byte is the first of a response.
func (r *responses) between() bool { return !r.opaque && (r.reading == nil || r.complete) }

// line collects a line and reports whether it is whole.
func (r *responses) line(p []byte) (line string, rest []byte, whole bool) {
	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		end = len(p) - 1
	} else {
		whole = true
	}
	r.head = append(r.head, p[:end+1]...)
	if len(r.head) > maxHead {
		r.opaque = true
	}
	return strings.TrimRight(string(r.head), "\r\n"), p[end+1:], whole
}

// status reads a response's head.
func (r *responses) status(p []byte) []byte {
	_, rest, whole := r.line(p)
	if len(r.head) >= 7 && !bytes.HasPrefix(r.head, []byte("HTTP/1.")) {
		r.opaque = true
	}
	if whole && (bytes.HasSuffix(r.head, []byte("\n\r\n")) || bytes.HasSuffix(r.head, []byte("\n\n"))) {
		r.begin(string(r.head))
		r.head = r.head[:0]
	}
	return rest
}

// begin decides from a head how its body ends.
func (r *responses) begin(head string) {
	lines := strings.Split(head, "\n")
	fields := strings.Fields(lines[0])
	if len(fields) < 2 {
		r.opaque = true
		return
	}
	length, chunked := int64(-1), false
	r.last = r.last || fields[0] == "HTTP/1.0"
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch value = strings.TrimSpace(value); strings.ToLower(name) {
		case "content-length":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n < 0 {
				r.opaque = true
			}
			length = n
		case "connection":
			for option := range strings.SplitSeq(value, ",") {
				r.last = r.last || strings.EqualFold(strings.TrimSpace(option), "close")
			}
		case "transfer-encoding":
			chunked = strings.EqualFold(value, "chunked")
			r.opaque = r.opaque || !chunked
		}
	}
	status := fields[1]
	switch {
	case status == "101":
		r.opaque = true
	case strings.HasPrefix(status, "1"): // the answer is still to come
	case status == "204", status == "304", length == 0 && !chunked:
		r.complete = true
	case chunked:
		r.reading = (*responses).chunk
	case length > 0:
		r.left, r.reading = length, (*responses).body
	default:
		r.opaque = true // until the server closes
	}
}

func (r *responses) body(p []byte) []byte {
	n := min(int64(len(p)), r.left)
	r.left -= n
	if r.left == 0 {
		r.complete, r.reading = true, (*responses).status
	}
	return p[n:]
}

// chunk reads a chunk's size.
func (r *responses) chunk(p []byte) []byte {
	line, rest, whole := r.line(p)
	if !whole {
		return rest
	}
	r.head = r.head[:0]
	size, _, _ := strings.Cut(line, ";")
	n, err := strconv.ParseInt(strings.TrimSpace(size), 16, 64)
	switch {
	case err != nil || n < 0:
		r.opaque = true
	case n == 0:
		r.reading = (*responses).trailer
	default:
		r.left, r.reading = n, (*responses).chunkBody
	}
	return rest
}

func (r *responses) chunkBody(p []byte) []byte {
	n := min(int64(len(p)), r.left)
	r.left -= n
	if r.left == 0 {
		r.reading = (*responses).chunkEnd
	}
	return p[n:]
}

// chunkEnd reads the line end after a chunk.
func (r *responses) chunkEnd(p []byte) []byte {
	line, rest, whole := r.line(p)
	if whole {
		r.opaque = r.opaque || line != ""
		r.head, r.reading = r.head[:0], (*responses).chunk
	}
	return rest
}

// trailer reads what may follow the last chunk.
func (r *responses) trailer(p []byte) []byte {
	line, rest, whole := r.line(p)
	if whole {
		r.head = r.head[:0]
		if line == "" {
			r.complete, r.reading = true, (*responses).status
		}
	}
	return rest
}
