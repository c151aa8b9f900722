package proxy

import (
	"bytes"
	"errors"
	"strings"
)

// errChunk says that a body is not as its coding demands.
var errChunk = errors.New("malformed chunk")

// body follows a message's body to its end, wherever reads cut it.
type body struct {
	step    step
	left    int64  // of the body, or of a chunk
	digits  int    // of a chunk's size
	trailer []byte // its lines, if they are kept
	keeps   bool
	trailed int // bytes of the trailer
}

// step is where in a body its follower is (RFC 9112, sections 6 and 7.1).
type step uint8

const (
	nothing     step = iota // follows
	sized                   // left bytes follow
	endless                 // all that comes
	chunkSize               // digits
	chunkMore               // an extension
	chunkLine               // LF of that line
	chunkData               // left bytes of a chunk
	chunkCR                 // after them
	chunkLF                 // likewise
	trailerHead             // a line's first byte
	trailerLine             // the rest of it
	trailerLF               // its end
	lastLF                  // of the empty line
)

// bodyOf is the body of a message whose head is h; without one when neither is announced.
func bodyOf(h head, keepsTrailer bool) body {
	switch {
	case h.chunked:
		return body{step: chunkSize, keeps: keepsTrailer}
	case h.length > 0:
		return body{step: sized, left: h.length}
	}
	return body{}
}

func (b *body) over() bool { return b.step == nothing }

// next is how many of p's bytes are the body's, which are passed to data, decoded, unless
// that is nil. Bytes that break its coding are not counted, and an error.
func (b *body) next(p []byte, data func([]byte)) (n int, err error) {
	for n < len(p) && b.step != nothing {
		switch b.step {
		case endless, sized, chunkData:
			n += b.pass(p[n:], data)
		case trailerLine:
			taken := b.trailerText(p[n:])
			if taken == 0 {
				return n, errChunk
			}
			n += taken
		default:
			if !b.mark(p[n]) {
				return n, errChunk
			}
			n++
		}
	}
	return n, nil
}

// pass takes what is content.
func (b *body) pass(p []byte, data func([]byte)) int {
	if b.step != endless {
		p = p[:min(int64(len(p)), b.left)]
		b.left -= int64(len(p))
		switch {
		case b.left > 0:
		case b.step == sized:
			b.step = nothing
		default:
			b.step = chunkCR
		}
	}
	if data != nil {
		data(p)
	}
	return len(p)
}

// mark takes a byte that is not content, and reports that it may stand here.
func (b *body) mark(c byte) bool {
	switch b.step {
	case chunkSize:
		return b.size(c)
	case chunkMore:
		if c == '\r' {
			b.step = chunkLine
		}
		return c >= ' ' && c != 0x7f || c == '\t' || c == '\r'
	case chunkLine:
		b.step, b.digits = chunkData, 0
		if b.left == 0 {
			b.step = trailerHead
		}
		return c == '\n'
	case chunkCR:
		b.step = chunkLF
		return c == '\r'
	case chunkLF:
		b.step = chunkSize
		return c == '\n'
	case trailerHead:
		b.step = trailerLine
		if c == '\r' {
			b.step = lastLF
			return true
		}
		b.keep([]byte{c})
		return tokenBytes[c]
	case trailerLF:
		b.step = trailerHead
		b.keep([]byte{c})
		return c == '\n' && b.trailed < maxHead
	}
	b.step = nothing // lastLF
	return c == '\n'
}

// size takes a byte of a chunk's first line. More than 15 digits are no size.
func (b *body) size(c byte) bool {
	digit := strings.IndexByte("0123456789abcdef", c|0x20)
	switch {
	case c >= '0' && digit >= 0:
		b.left = b.left<<4 | int64(digit)
		b.digits++
		return b.digits <= 15
	case b.digits == 0:
		return false
	case c == '\r':
		b.step = chunkLine
	case c == ';', c == ' ', c == '\t':
		b.step = chunkMore
	default:
		return false
	}
	return true
}

// trailerText takes what is left of a trailer's line. A bare LF is not taken.
func (b *body) trailerText(p []byte) int {
	end := bytes.IndexAny(p, "\r\n")
	switch {
	case end < 0:
		end = len(p)
	case p[end] == '\r':
		end++
		b.step = trailerLF
	}
	b.keep(p[:end])
	return end
}

func (b *body) keep(p []byte) {
	b.trailed += len(p)
	if b.keeps && b.trailed <= maxHead {
		b.trailer = append(b.trailer, p...)
	}
}

// fields are the trailer's.
func (b *body) fields() []Field {
	var h head
	if len(b.trailer) == 0 || !h.parse(string(b.trailer)) {
		return nil
	}
	return h.fields
}
