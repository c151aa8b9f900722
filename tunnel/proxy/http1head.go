package proxy

import (
	"bytes"
	"strconv"
	"strings"
)

// head is a request's or an answer's, as far as it says how its body ends and what
// becomes of the connection (RFC 9112).
type head struct {
	minor   byte // of HTTP/1.x
	fields  []Field
	length  int64 // that is announced; -1: none
	chunked bool
	close   bool // Connection: close
	keep    bool // Connection: keep-alive
	expects bool // Expect: 100-continue
}

// endOfHead finds the end of the head that p begins with: 0 if it is not there yet. It is
// malformed if a line of it ends in a bare LF, which some take for an end and some do not
// (RFC 9112, section 2.2), or if it is too long.
func endOfHead(p []byte) (end int, malformed bool) {
	begin := emptyLines(p)
	for at := begin; ; {
		lf := bytes.IndexByte(p[at:], '\n')
		if lf < 0 {
			return 0, len(p) >= maxHead
		}
		at += lf
		if at == 0 || p[at-1] != '\r' {
			return 0, true
		}
		at++
		switch {
		case at > maxHead:
			return 0, true
		case at >= begin+4 && p[at-3] == '\n':
			return at, false
		}
	}
}

// emptyLines is how many bytes of empty lines p begins with, which clients of old send
// (RFC 9112, section 2.2).
func emptyLines(p []byte) (n int) {
	for bytes.HasPrefix(p[n:], []byte("\r\n")) {
		n += 2
	}
	return n
}

// parseRequest reads a request's head. It is not ok if two readers may understand it
// differently, or if it is none.
func parseRequest(raw []byte) (r *Request, h head, ok bool) {
	line, lines, _ := strings.Cut(string(raw[emptyLines(raw):]), "\r\n")
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	h.minor, ok = minorOf(version)
	if !ok || !isToken(method) || len(method) > maxMethod || target == "" || !isText(target) ||
		strings.ContainsRune(target, '\t') || !h.parse(lines) {
		return nil, h, false
	}
	r = &Request{Protocol: HTTP1, Method: method, Target: target, Header: h.fields, Raw: raw}
	if hosts := r.Values("Host"); len(hosts) > 0 {
		r.Authority = hosts[0]
	}
	ambiguous := h.chunked && (h.length >= 0 || h.minor == '0') || method == "CONNECT" && (h.chunked || h.length > 0)
	return r, h, !ambiguous
}

// parseAnswer reads an answer's head. It is not ok as with parseRequest.
func parseAnswer(raw []byte) (status int, h head, ok bool) {
	line, lines, _ := strings.Cut(string(raw), "\r\n")
	version, rest, _ := strings.Cut(line, " ")
	code, reason, _ := strings.Cut(rest, " ")
	h.minor, ok = minorOf(version)
	status, err := strconv.Atoi(code)
	if !ok || err != nil || len(code) != 3 || status < 100 || !isText(reason) || !h.parse(lines) {
		return 0, h, false
	}
	return status, h, !h.chunked || h.length < 0
}

func minorOf(version string) (minor byte, ok bool) {
	digits, ok := strings.CutPrefix(version, "HTTP/1.")
	if !ok || len(digits) != 1 || digits[0] < '0' || digits[0] > '9' {
		return 0, false
	}
	return digits[0], true
}

// parse reads the lines of a head, the empty one too.
func (h *head) parse(lines string) bool {
	h.length = -1
	h.fields = make([]Field, 0, strings.Count(lines, "\n"))
	for lines != "\r\n" && lines != "" {
		line, rest, _ := strings.Cut(lines, "\r\n")
		name, value, colon := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !colon || !isToken(name) || !isText(value) || !h.note(name, value) {
			return false
		}
		h.fields = append(h.fields, Field{Name: name, Value: value})
		lines = rest
	}
	return true
}

// note takes from a field what is to be known. It reports that this is not ambiguous.
func (h *head) note(name, value string) bool {
	switch len(name) {
	case len("content-length"):
		if strings.EqualFold(name, "content-length") {
			n, ok := parseLength(value)
			again := h.length >= 0
			h.length = n
			return ok && !again
		}
	case len("transfer-encoding"):
		if strings.EqualFold(name, "transfer-encoding") {
			again := h.chunked
			h.chunked = true
			return strings.EqualFold(value, "chunked") && !again
		}
	case len("connection"):
		if strings.EqualFold(name, "connection") {
			for option := range strings.SplitSeq(value, ",") {
				option = strings.Trim(option, " \t")
				h.close = h.close || strings.EqualFold(option, "close")
				h.keep = h.keep || strings.EqualFold(option, "keep-alive")
			}
		}
	case len("expect"):
		if strings.EqualFold(name, "expect") {
			h.expects = strings.EqualFold(value, "100-continue")
		}
	}
	return true
}

// last reports that the connection carries nothing after this (RFC 9112, section 9.3).
func (h *head) last() bool { return h.close || h.minor == '0' && !h.keep }

// parseLength takes digits alone: no sign, no list.
func parseLength(value string) (length int64, ok bool) {
	if value == "" || strings.Trim(value, "0123456789") != "" {
		return 0, false
	}
	length, err := strconv.ParseInt(value, 10, 63)
	return length, err == nil
}

// isToken reports that text is a token (RFC 9110, section 5.6.2).
func isToken[T string | []byte](text T) bool {
	for i := range len(text) {
		if !tokenBytes[text[i]] {
			return false
		}
	}
	return len(text) > 0
}

var tokenBytes = func() (is [256]bool) {
	for c := byte('!'); c <= '~'; c++ {
		is[c] = !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, rune(c))
	}
	return is
}()

// isText reports that there are no control characters in text but tabs.
func isText(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
