package agent

import (
	"bytes"
	"strconv"
	"strings"
)

// unanswered is what an HTTP/1 client has sent and no response was complete to:
// nothing, or one request. It can be asked again elsewhere if whoever had it
// falls silent, and asking twice does no harm.
type unanswered struct {
	text    []byte
	unknown bool // for good: where a request ends, or all of its text
}

// maxRequest and smallRequest, in bytes, are what is kept of a request, and what an
// idle connection may keep allocated.
const (
	maxRequest   = 16 << 10
	smallRequest = 1 << 10
)

// add notes what the client sends.
func (u *unanswered) add(p []byte) {
	if u.unknown || len(u.text)+len(p) > maxRequest {
		u.text, u.unknown = nil, true
		return
	}
	u.text = append(u.text, p...)
}

// answered notes that a response is complete. A client that has sent anything but
// one whole request before is not followed any further.
func (u *unanswered) answered() {
	u.unknown = u.unknown || !isOneRequest(u.text)
	u.text = u.text[:0]
	if u.unknown || cap(u.text) > smallRequest {
		u.text = nil
	}
}

// repeatable reports that there is nothing to ask again, or one request that only
// reads, or its beginning. What a client sends behind that without waiting for the
// answer may do something.
func (u *unanswered) repeatable() bool {
	switch {
	case u.unknown:
		return false
	case len(u.text) == 0:
		return true
	}
	reads := bytes.HasPrefix(u.text, []byte("GET ")) || bytes.HasPrefix(u.text, []byte("OPTIONS "))
	missing, known := missingOf(u.text)
	return reads && known && missing >= 0
}

// isOneRequest reports that text is a request's head with all of its body, of a
// length that was announced.
func isOneRequest(text []byte) bool {
	missing, known := missingOf(text)
	return known && missing == 0
}

// missingOf is how many bytes text is short of one whole request; negative if there is
// more. As long as the head is not whole it is at least the end of that. It is not
// known where the body's length is not announced, or lines end as they should not.
func missingOf(text []byte) (missing int, known bool) {
	head, body, whole := bytes.Cut(text, []byte("\r\n\r\n"))
	switch {
	case bytes.Count(head, []byte("\n")) != bytes.Count(head, []byte("\r\n")):
		return 0, false
	case !whole:
		return 1, true
	}
	length := 0
	for line := range strings.SplitSeq(string(head), "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		switch strings.ToLower(name) {
		case "content-length":
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil {
				return 0, false
			}
			length = n
		case "transfer-encoding":
			return 0, false
		}
	}
	return length - len(body), true
}
