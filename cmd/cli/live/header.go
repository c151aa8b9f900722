package live

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/devtun/devtun/cmd/cli/status"
)

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
	state, style := m.state()
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

// state is how the session is, in a few words. It is good only if all of it is.
func (m *model) state() (string, lipgloss.Style) {
	s := m.now.Snapshot
	switch {
	case !m.known:
		return "", plain
	case m.ending || s.State == status.Ending:
		return "ending: putting everything back", middling
	case restoring(s.Intercepts):
		return "putting it back", middling
	case s.Error != "":
		return "failed: " + s.Error, bad
	case s.State == status.Starting:
		return string(s.State), middling
	}
	failed, waiting, idle := 0, 0, 0
	for _, r := range m.all {
		switch {
		case !r.amiss:
		case r.mark == "✗":
			failed++
		case r.intercept:
			idle++
		default:
			waiting++
		}
	}
	var dead []string
	for _, d := range []struct {
		n    int
		word string
	}{{failed, "failed"}, {waiting, "waiting"}, {idle, "intercept idle"}} {
		if d.n > 0 {
			dead = append(dead, fmt.Sprintf("%d %s", d.n, d.word))
		}
	}
	switch {
	case failed > 0:
		return strings.Join(dead, ", "), bad
	case len(dead) > 0:
		return strings.Join(dead, ", "), middling
	case m.journal.warning != nil:
		return "warning", middling
	}
	return string(s.State), good
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
