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
	// As much as there is room for.
	for _, more := range []string{strings.Join([]string{what, flow, since}, "  "), what + "  " + since, since} {
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
	return fmt.Sprintf("%s  %d open", strings.Join(words, ", "), open), fmt.Sprintf("↑%s/s ↓%s/s", size(sent),
		size(received))
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// footer is the keys that do something now.
func (m *model) footer() string {
	quit := [2]string{"q", m.quitWord()}
	switch {
	case m.editing:
		return title.Render("/") + m.filter + chosen.Render(" ") + "  " +
			m.keys([2]string{"enter", "keep"}, [2]string{"esc", "undo"})
	case m.ending:
		return dim.Render("please wait; ctrl+c again cuts off what is under way")
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
