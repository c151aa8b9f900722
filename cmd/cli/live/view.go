package live

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/devtun/devtun/cmd/cli/status"
)

// View implements tea.Model.
func (m *model) View() tea.View {
	view := tea.NewView(strings.Join(m.draw(), "\n"))
	view.AltScreen = true
	return view
}

// draw is the lines of the screen, from the top: at most as many and as wide as it
// has room for.
func (m *model) draw() []string {
	head := []string{m.header()}
	foot := append(m.messages(), m.footer())
	if m.page == help {
		foot = []string{m.footer()}
	}
	room := max(0, m.height-len(head)-len(foot))
	var body []string
	switch {
	case m.page == help:
		body = helpLines
	case m.page == connections:
		body = m.connections(room)
	default:
		body = m.overview(room)
	}
	body = body[:min(len(body), room)]
	for len(body) < room {
		body = append(body, "")
	}
	lines := append(append(head, body...), foot...)
	lines = lines[:min(len(lines), m.height)]
	for i := range lines {
		lines[i] = ansi.Truncate(lines[i], m.width, "…")
	}
	return lines
}

// header says whose session this is, and how it is.
func (m *model) header() string {
	s := m.now.Snapshot
	name := "devtun"
	if s.Session != "" {
		name += " " + s.Session
	}
	place := s.Namespace
	if s.Context != "" {
		place += " in " + s.Context
	}
	state, style := string(s.State), good
	switch {
	case !m.known:
		state, style = "", plain
	case m.ending || s.State == status.Ending || restoring(s.Intercepts):
		state, style = "ending: putting everything back", middling
	case s.Error != "":
		state, style = "failed: "+s.Error, bad
	case s.State == status.Starting:
		style = middling
	}
	since := ""
	if m.known && !s.Since.IsZero() {
		since = ago(m.now.at.Sub(s.Since))
	}
	left := title.Render(name)
	if place != "" {
		left += "  " + place
	}
	right := style.Render(state)
	what, flow := m.sum()
	for _, more := range []string{strings.Join([]string{what, flow, since}, "  "), what + "  " + since, since} { // as much as there is room for
		if longer := more + "  " + right; since != "" && ansi.StringWidth(left)+ansi.StringWidth(longer)+2 <= m.width {
			right = longer
			break
		}
	}
	space := m.width - ansi.StringWidth(left) - ansi.StringWidth(right)
	if space < 2 {
		left = ansi.Truncate(left, max(6, m.width-ansi.StringWidth(right)-2), "…")
		space = max(2, m.width-ansi.StringWidth(left)-ansi.StringWidth(right))
	}
	return left + strings.Repeat(" ", space) + right
}

// restoring reports that there are intercepts, and all of them come to their end.
func restoring(all []status.Intercept) bool {
	standing := func(i status.Intercept) bool { return i.State != status.Restoring }
	return len(all) > 0 && !slices.ContainsFunc(all, standing)
}

// sum is all that there is in a few words, and what goes through it.
func (m *model) sum() (what, flow string) {
	open, services, sent, received := 0, 0, 0.0, 0.0
	for _, service := range m.now.Services {
		open += service.Open
		if service.Pod == "" && service.State != "skipped" {
			services++
		}
	}
	for _, i := range m.now.Intercepts {
		open += i.Open
	}
	for _, r := range m.rates {
		sent += r.sent
		received += r.received
	}
	var words []string
	if n := len(m.now.Intercepts); n > 0 {
		words = append(words, count(n, "intercept"))
	}
	if services > 0 || len(words) == 0 {
		words = append(words, count(services, "service"))
	}
	if m.filter != "" && !m.editing {
		words = []string{fmt.Sprintf("%d with %q", len(m.rows), m.filter)}
	}
	return fmt.Sprintf("%s  %d open", strings.Join(words, ", "), open), fmt.Sprintf("↑%s/s ↓%s/s", size(sent), size(received))
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

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

// footer is the keys that do something now.
func (m *model) footer() string {
	quit := [2]string{"q", m.quitWord()}
	switch {
	case m.editing:
		return title.Render("/") + m.filter + chosen.Render(" ") + "  " + m.keys([2]string{"enter", "keep"}, [2]string{"esc", "undo"})
	case m.ending:
		return dim.Render("please wait")
	case m.page == help:
		return m.keys(quit, [2]string{"any key", "back"})
	case m.page == connections:
		return m.keys([2]string{"esc", "back"}, quit, [2]string{"?", "help"}, [2]string{"↑↓", "scroll"})
	}
	return m.keys([2]string{"?", "help"}, quit, [2]string{"/", "filter"}, [2]string{"s", "sort"},
		[2]string{"enter", "connections"}, [2]string{"↑↓", "select"}, [2]string{"r", "reverse"})
}

func (m *model) quitWord() string {
	if m.quit == nil {
		return "leave"
	}
	return "quit"
}

// keys says what keys are for, the important ones first, as far as there is room.
func (m *model) keys(all ...[2]string) string {
	line := ""
	for _, k := range all {
		longer := line + "  " + title.Render(k[0]) + " " + dim.Render(k[1])
		if ansi.StringWidth(longer)-2 > m.width {
			break
		}
		line = longer
	}
	return strings.TrimPrefix(line, "  ")
}

// serviceColumns are the overview's.
var serviceColumns = []column{
	{title: "", rank: 0, fixed: 2, tight: true},
	{title: "SERVICE", rank: 1, least: 14},
	{title: "ADDRESS", rank: 6, least: 17},
	{title: "PORTS", rank: 8, least: 5},
	{title: "PODS", rank: 2, fixed: 5, right: true},
	{title: "OPEN", rank: 3, fixed: 5, right: true},
	{title: "SENT/s", rank: 5, fixed: 7, right: true},
	{title: "RECV/s", rank: 4, fixed: 7, right: true},
	{title: "LAST ERROR", rank: 7, least: 10, spare: true},
}

// interceptColumns are the same, so that both tables stand below each other, under
// the names that intercepts have for them. Where it is narrow the traffic matters
// more than anything.
var interceptColumns = func() []column {
	columns := slices.Clone(serviceColumns)
	for i, name := range map[int]string{1: "INTERCEPTED", 2: "TRAFFIC", 3: "PORT", 4: "AGENT"} {
		columns[i].title = name
	}
	columns[2].rank = 1
	return columns
}()

func (r row) cells(selected bool) []cell {
	cursor := " "
	if selected {
		cursor = "›"
	}
	pods, open := fmt.Sprint(r.pods), fmt.Sprint(r.use.Open)
	trouble := dim
	if r.amiss {
		trouble = r.style
	}
	if r.left {
		return []cell{{cursor + r.mark, dim}, {r.name, dim}, {r.where, dim}, {}, {}, {}, {}, {}, {r.trouble, dim}}
	}
	pod := plain
	if r.mark != "●" {
		pod = r.style
	}
	return []cell{
		{cursor + r.mark, r.style}, {r.name, plain}, {r.where, plain}, {r.ports, dim}, {pods, pod}, {open, plain},
		{perSecond(r.rate.sent), plain}, {perSecond(r.rate.received), plain}, {r.trouble, trouble},
	}
}

// overview is the table of intercepts, if there are any, and that of services.
func (m *model) overview(room int) []string {
	at := m.at()
	var cells [][]cell
	split := 0
	for i, r := range m.rows {
		cells = append(cells, r.cells(i == at))
		if r.intercept {
			split = i + 1
		}
	}
	widths := fit(serviceColumns, needs(serviceColumns, cells), m.width)
	line := func(i int) string {
		if i == at {
			return join(serviceColumns, widths, cells[i], &chosen)
		}
		return join(serviceColumns, widths, cells[i], nil)
	}
	var lines []string
	if split > 0 {
		shared := widths
		if widths[2] == 0 {
			widths = fit(interceptColumns, needs(interceptColumns, cells[:split]), m.width)
		}
		lines = append(lines, titles(interceptColumns, widths, "", ""))
		first, last := scroll(split, max(1, min(split, room/2-1)), min(at, split-1), 0)
		for i := first; i < last; i++ {
			lines = append(lines, line(i))
		}
		widths = shared
		if len(m.now.Services) == 0 {
			return lines
		}
		if room >= 12 {
			lines = append(lines, "")
		}
	}
	sign := orders[m.by].sign
	if m.reverse {
		sign = map[string]string{"▲": "▼", "▼": "▲"}[sign]
	}
	lines = append(lines, titles(serviceColumns, widths, orders[m.by].column, sign))
	count := len(m.rows) - split
	if count == 0 {
		return append(lines, dim.Render("  "+m.nothing()))
	}
	height := room - len(lines)
	first, last := scroll(count, height, max(-1, at-split), m.first)
	m.first = first
	for i := first; i < last; i++ {
		lines = append(lines, line(split+i))
	}
	return lines
}

// nothing says why there is no service.
func (m *model) nothing() string {
	switch {
	case !m.known:
		return "waiting for the session"
	case m.filter != "":
		return fmt.Sprintf("nothing with %q", m.filter)
	}
	return "no services"
}
