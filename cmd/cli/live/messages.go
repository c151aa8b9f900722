package live

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// messages is the last of what was said, as far as there is room for whole ones. A
// warning that is not over keeps its place in it.
func (m *model) messages() []string {
	room := 5
	if m.height < 20 {
		room = 2
	}
	var pinned []string
	last := slices.Clone(m.now.said)
	if i := warningIn(last); i >= 0 {
		pinned = m.message(last[i])
		pinned = pinned[:min(len(pinned), room)]
		room -= len(pinned)
		last = last[i+1:] // what was said before is no news any more
	}
	var lines []string
	for i := len(last) - 1; i >= 0; i-- {
		said := m.message(last[i])
		if len(lines)+len(said) > room {
			if len(lines) == 0 {
				lines = said[:room]
			}
			break
		}
		lines = append(said, lines...)
	}
	if lines = append(pinned, lines...); len(lines) == 0 {
		return nil
	}
	return append([]string{dim.Render(strings.Repeat("─", m.width))}, lines...)
}

// warningIn finds the last warning that is not over; -1 is none.
func warningIn(said []saying) int {
	for i := len(said) - 1; i >= 0; i-- {
		switch said[i].kind() {
		case "warning":
			return i
		case "recovered":
			return -1
		}
	}
	return -1
}

// message is what was said, with its time if the screen is wide.
func (m *model) message(s saying) (lines []string) {
	stamp := ""
	if m.width >= 60 {
		stamp = s.at.Format("15:04:05") + " "
	}
	style := plain
	switch s.kind() {
	case "warning":
		style = middling
	case "recovered":
		style = good
	case "note", "hint", "waiting":
		style = dim
	}
	text := ansi.Wrap(ansi.Strip(s.text), max(10, m.width-len(stamp)), "")
	for part := range strings.SplitSeq(text, "\n") {
		lines = append(lines, dim.Render(stamp)+style.Render(part))
		stamp = strings.Repeat(" ", len(stamp))
	}
	return lines
}
