package proxy

import (
	"io"
	"strings"

	"github.com/devtun/devtun/internal/stack"
)

// upstream is a connection to a destination, and what its reader knows of its answers.
type upstream struct {
	Upstream
	to       Destination
	told     bool // the end of what the client says; the client's reader's
	answered bool // something; under the machine's mu, like over
	over     bool // it has ended its side of a connection that is whole
	released bool // it gets nothing more

	// Its reader's:
	x      *exchange // that is being answered; nil between two answers
	body   body      // of the answer
	inBody bool
}

// listenTo adds an upstream and listens to it.
func (h *http1) listenTo(u *upstream) {
	h.mu.Lock()
	h.upstreams = append(h.upstreams, u)
	broken := h.state == broken
	h.mu.Unlock()
	if broken { // and nobody has aborted this one
		u.Abort()
	}
	h.readers.Go(func() { stack.Grow(); h.listen(u) })
}

// listen passes on what u answers, until it has ended.
func (h *http1) listen(u *upstream) {
	var b buffer
	defer b.giveBack()
	for {
		err := b.fill(u, never)
		for more := true; more && len(b.bytes()) > 0; {
			n, listened := h.answer(u, b.bytes())
			if !listened {
				u.Abort()
				u.Close()
				return
			}
			b.take(n)
			more = n > 0
		}
		if err != nil {
			h.passEndOf(u, b.bytes(), err)
			return
		}
		if u.x == nil {
			b.rest()
		}
	}
}

func never(error) bool { return false }

// passEndOf passes on the end of u, and what could not be understood before it.
func (h *http1) passEndOf(u *upstream, rest []byte, err error) {
	if len(rest) > 0 {
		h.tell(rest, nil)
	}
	if err == io.EOF && u.x != nil && u.body.step == endless {
		h.endsWithServer(u.x)
	}
	switch h.ended(u, err) {
	case passItOn:
		h.writing.Lock()
		defer h.writing.Unlock()
		_ = h.conn.client.CloseWrite()
	case forgetIt:
		u.Abort()
		u.Close()
	case breakItOff:
		u.Abort()
	case leaveIt:
	}
}

// answer passes on what it can of p, which u has said, and returns how much that is. It
// reports whether u is to be listened to.
func (h *http1) answer(u *upstream, p []byte) (n int, listened bool) {
	if u.x == nil {
		if u.x = h.begun(u); u.x == nil {
			return 0, false
		}
		u.inBody = false
	}
	if !u.inBody {
		return h.answerHead(u, p)
	}
	return h.answerBody(u, p, 0, ""), true
}

// answerHead passes on a head, with what there is of the body.
func (h *http1) answerHead(u *upstream, p []byte) (n int, listened bool) {
	x := u.x
	end, malformed := endOfHead(p)
	if end == 0 && !malformed && strings.HasPrefix("HTTP/1.", string(p[:min(len(p), len("HTTP/1."))])) {
		return 0, true
	}
	status, head, ok := 0, head{}, false
	if end > 0 && !h.isRaw(x) {
		status, head, ok = parseAnswer(p[:end])
	}
	if !ok {
		h.toTheEnd(u, true)
		return h.answerBody(u, p, 0, ""), true
	}
	if x.seen.Observation != nil {
		x.seen.Answer(status, head.fields)
	}
	if status < 200 && status != 101 {
		if status == 100 {
			h.continues(x)
		}
		h.tell(p[:end], nil)
		return end, true
	}
	lines := linesOf(x.mark)
	if h.frame(u, status, head) && head.minor >= '1' && h.announces(x) {
		lines += lastOne
	}
	return h.answerBody(u, p, end, lines), true
}

// lastOne is the header of an answer after which the server closes.
const lastOne = "Connection: close\r\n"

// frame tells where the answer ends (RFC 9112, section 6.3). It reports that another can
// follow.
func (h *http1) frame(u *upstream, status int, head head) bool {
	u.inBody = true
	method := u.x.request.Method
	u.body = bodyOf(head, u.x.seen.Observation != nil)
	switch {
	case status == 101, method == "CONNECT" && status < 300:
		h.toTheEnd(u, true)
		return false
	case method == "HEAD", status == 204, status == 304:
		u.body = body{}
	case !head.chunked && head.length < 0:
		h.toTheEnd(u, false)
		return false
	}
	if head.last() {
		h.isLast(u.x)
	}
	return true
}

// toTheEnd has everything be the answer's until u ends; raw: in the other direction too.
func (h *http1) toTheEnd(u *upstream, raw bool) {
	u.inBody, u.body = true, body{step: endless}
	if raw {
		h.pinned(u.x)
	} else {
		h.isLast(u.x)
	}
}

// answerBody passes on a head of so many bytes, with lines after its first, and what is
// there of the body.
func (h *http1) answerBody(u *upstream, p []byte, head int, lines string) int {
	x := u.x
	n, err := u.body.next(p[head:], x.seen.answer())
	if err != nil {
		h.toTheEnd(u, true)
		n = len(p) - head
	}
	n += head
	out := p[:n]
	if lines != "" {
		out = afterStatus(out, lines)
	}
	var complete func()
	if u.body.over() {
		complete = func() { // before the client can ask the next
			if x.seen.Observation != nil {
				x.seen.AnswerTrailer(u.body.fields())
			}
			u.x = nil
			h.answered(u, x)
		}
	}
	h.tell(out, complete)
	return n
}

// tell writes to the client, after it has called first, unless that is nil: p is the end of
// an answer.
func (h *http1) tell(p []byte, first func()) {
	h.writing.Lock()
	defer h.writing.Unlock()
	if first != nil {
		first()
	}
	if _, err := h.conn.client.Write(p); err != nil {
		h.broke()
	}
	if first != nil {
		h.told()
	}
}
