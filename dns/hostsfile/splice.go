package hostsfile

import (
	"bytes"
	"runtime"
	"slices"

	"github.com/devtun/devtun/internal/proc"
)

// bom may stand at the start of a file, and must stay there.
var bom = []byte("\xef\xbb\xbf")

// split parts a hosts file into our lines, of all sessions, and everything
// else, byte for byte. It is the inverse of join.
func split(file []byte) (ours []line, foreign []byte) {
	if !bytes.Contains(file, []byte(tagMark)) {
		return nil, file
	}
	foreign = make([]byte, 0, len(file))
	for raw := range bytes.Lines(file) {
		text := raw
		for bytes.HasPrefix(text, bom) {
			text = text[len(bom):]
		}
		if l, ok := parseLine(text); ok {
			ours = append(ours, l)
			raw = raw[:len(raw)-len(text)] // the mark itself is not ours
		}
		foreign = append(foreign, raw...)
	}
	return ours, foreign
}

// join puts our lines before everything else: nothing can shadow them there,
// and a last line without its newline stays the last. The line ending is the
// one that the first foreign line has, or the system's.
func join(ours []line, foreign []byte) []byte { return joinWith(newline(), ours, foreign) }

func joinWith(ending string, ours []line, foreign []byte) []byte {
	rest, hasBOM := bytes.CutPrefix(foreign, bom)
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		ending = "\n"
		if i > 0 && rest[i-1] == '\r' {
			ending = "\r\n"
		}
	}
	var file bytes.Buffer
	if hasBOM {
		file.Write(bom)
	}
	for _, l := range ours {
		file.WriteString(l.text)
		file.WriteString(ending)
	}
	file.Write(rest)
	return file.Bytes()
}

// newline ends the lines of a file that has none yet.
func newline() string {
	if runtime.GOOS == "windows" {
		return "\r\n"
	}
	return "\n"
}

// replaceBlock returns ours with session's lines replaced by block, in their
// place; a new block goes first, so that the session started last prevails.
func replaceBlock(ours []line, session string, block []line) []line {
	isMine := func(l line) bool { return l.session == session }
	at := max(slices.IndexFunc(ours, isMine), 0)
	others := slices.DeleteFunc(slices.Clone(ours), isMine)
	return slices.Insert(others, at, block...)
}

// dropDead removes the lines of sessions whose owner alive denies, and of those
// that no begin line accounts for: a live owner of such lines will miss its
// begin line and write its block anew.
func dropDead(ours []line, alive func(proc.ID) bool) (kept []line, dead []proc.ID) {
	known := owners(ours)
	verdict := make(map[string]bool) // each owner is asked once
	for _, l := range ours {
		lives, judged := verdict[l.session]
		if !judged {
			owner, ok := known[l.session]
			lives = ok && alive(owner)
			verdict[l.session] = lives
			if ok && !lives {
				dead = append(dead, owner)
			}
		}
		if lives {
			kept = append(kept, l)
		}
	}
	return kept, dead
}
