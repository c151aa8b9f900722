package live

import (
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// journal is what was said, and what has changed: the log of the view.
type journal struct {
	lines   []said // oldest first, at most keptLines
	warning *said  // the last one that is not over
}

// said is a line of it.
type said struct {
	at   time.Time
	text string // without its end
}

// kind is the word that a line begins with, as "warning" or "ready".
func (s said) kind() string {
	word, _, _ := strings.Cut(s.text, " ")
	return strings.TrimSuffix(word, ":")
}

// kinds are the styles of those that have one.
var kinds = map[string]lipgloss.Style{
	"warning": middling, "waiting": middling, "failed": bad, "recovered": good, "ready": good,
	"note": dim, "hint": dim, "gone": dim,
}

// add adds lines, which need not be sorted.
func (j *journal) add(lines []said) {
	slices.SortStableFunc(lines, func(a, b said) int { return a.at.Compare(b.at) })
	for _, l := range lines {
		switch l.kind() {
		case "warning":
			j.warning = &l
		case "recovered":
			j.warning = nil
		}
	}
	j.lines = append(j.lines, lines...)
	j.lines = j.lines[max(0, len(j.lines)-keptLines):]
}

// foot is the last of the journal, as far as there is room for whole lines. A warning that
// is not over keeps its place in it.
func (m *model) foot() []string {
	room := 5
	if m.height < 20 {
		room = 2
	}
	var pinned []string
	last := m.journal.lines
	if w := m.journal.warning; w != nil {
		pinned = m.message(*w)
		pinned = pinned[:min(len(pinned), room)]
		room -= len(pinned)
		at := slices.IndexFunc(last, func(l said) bool { return l == *w })
		last = last[at+1:] // what was said before is no news any more
	}
	var lines []string
	for i := len(last) - 1; i >= 0 && len(lines) < room; i-- {
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

// log is the page of the journal.
func (m *model) log(room int) []string {
	var lines []string
	for _, l := range m.journal.lines {
		lines = append(lines, m.message(l)...)
	}
	if len(lines) == 0 {
		return []string{dim.Render("nothing was said yet")}
	}
	first, last := m.pager.window(len(lines), room)
	return lines[first:last]
}

// message is a line of the journal, with its time if the screen is wide.
func (m *model) message(l said) (lines []string) {
	stamp := ""
	if m.width >= 60 {
		stamp = l.at.Format("15:04:05") + " "
	}
	style := plain
	if s, is := kinds[l.kind()]; is {
		style = s
	}
	text := ansi.Wrap(ansi.Strip(l.text), max(10, m.width-len(stamp)), "")
	for part := range strings.SplitSeq(text, "\n") {
		lines = append(lines, dim.Render(stamp)+style.Render(part))
		stamp = strings.Repeat(" ", len(stamp))
	}
	return lines
}
