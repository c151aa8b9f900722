package hostsfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
)

// Every line that devtun writes ends with a tag that proves where it comes
// from:
//
//	127.4.5.6        api api.shop api.shop.svc #devtun:1f2e3d4c:a0b1c2d3
//
// The first half is the session, the second a checksum over session and words.
// So each line is judged by itself: ours to remove if the checksum holds, else
// somebody's (who edited it, or wrote beside it) and never touched. No fence
// has to be trusted, none can be missing, and reformatted white space, tabs or
// line endings do no harm.
const tagMark = "#devtun:"

const (
	sessionLen = 8                                      // hexadecimal digits
	sumLen     = 8                                      // hexadecimal digits
	tagLen     = len(tagMark) + sessionLen + 1 + sumLen // bytes
)

// maxLine is the length in bytes that no line of ours exceeds, tag and line
// ending included. musl's resolver reads lines in pieces of 511 bytes and would
// take the second piece of a longer one for a line of its own.
const maxLine = 500

// line is one line of ours without its line ending.
type line struct {
	session string
	text    string // tag included
	body    string // words before the tag, single spaces between them
}

// newLine tags text for session.
func newLine(session string, text string) line {
	body := words([]byte(text))
	return line{
		session: session,
		text:    text + " " + tagMark + session + ":" + checksum(session, body),
		body:    string(body),
	}
}

// parseLine recognises a line of ours; raw may carry its line ending.
func parseLine(raw []byte) (line, bool) {
	if len(raw) > maxLine {
		return line{}, false
	}
	text := bytes.TrimRight(raw, " \t\r\n")
	at := len(text) - tagLen
	if at < 0 || !bytes.HasPrefix(text[at:], []byte(tagMark)) {
		return line{}, false
	}
	tag := text[at+len(tagMark):]
	session, sum := string(tag[:sessionLen]), string(tag[sessionLen+1:])
	body := words(text[:at])
	if tag[sessionLen] != ':' || sum != checksum(session, body) {
		return line{}, false
	}
	return line{session: session, text: string(text), body: string(body)}, true
}

// words is text with one space between its words and none around them.
func words(text []byte) []byte {
	return bytes.Join(bytes.Fields(text), []byte(" "))
}

// checksum tells our lines from edited ones. It is no secret: whoever may write
// the hosts file may write anything into it.
func checksum(session string, body []byte) string {
	h := sha256.New()
	h.Write([]byte(session + "\n"))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil)[:sumLen/2])
}
