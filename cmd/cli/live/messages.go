package live

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// messages is the last of what was printed, as far as there is room for whole ones. A
// warning that is not over keeps its place in it.
func (m *model) messages() []string {
	room := 5
	if m.height < 20 {
		room = 2
	}
	var pinned []string
	last := slices.Clone(m.now.lines)
	if i := warningIn(last); i >= 0 {
		pinned = m.message(last[i])
		pinned = pinned[:min(len(pinned), room)]
		room -= len(pinned)
		last = last[i+1:] // what was printed before is no news any more
	}
	var lines []string
	for i := len(last) - 1; i >= 0; i-- {
		message := m.message(last[i])
		if len(lines)+len(message) > room {
			if len(lines) == 0 {
				lines = message[:room]
			}
			break
		}
		lines = append(message, lines...)
	}
	if lines = append(pinned, lines...); len(lines) == 0 {
		return nil
	}
	return append([]string{dim.Render(strings.Repeat("─", m.width))}, lines...)
}

// warningIn finds the last warning that is not over; -1 is none.
func warningIn(all []line) int {
	for i := len(all) - 1; i >= 0; i-- {
		switch all[i].kind() {
		case "warning":
			return i
		case "recovered":
			return -1
		}
	}
	return -1
}

// message is a line that was printed, with its time if the screen is wide.
func (m *model) message(l line) (lines []string) {
	stamp := ""
	if m.width >= 60 {
		stamp = l.at.Format("15:04:05") + " "
	}
	style := plain
	switch l.kind() {
	case "warning":
		style = middling
	case "recovered":
		style = good
	case "note", "hint", "waiting":
		style = dim
	}
	text := ansi.Wrap(ansi.Strip(l.text), max(10, m.width-len(stamp)), "")
	for part := range strings.SplitSeq(text, "\n") {
		lines = append(lines, dim.Render(stamp)+style.Render(part))
		stamp = strings.Repeat(" ", len(stamp))
	}
	return lines
}
