package live

import (
	"iter"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
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
	foot := []string{m.footer()}
	if m.page == overview || m.page == details {
		foot = append(m.foot(), foot...)
	}
	room := max(0, m.height-len(head)-len(foot))
	body := m.body(room)
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

func (m *model) body(room int) []string {
	switch m.page {
	case details:
		return m.details(room)
	case requests:
		return m.requests(room)
	case podLogs:
		return m.podLogs(room)
	case log:
		return m.log(room)
	case help:
		return m.help(room)
	}
	return m.overview(room)
}

// footer is the keys that do something now, or what the last one has done.
func (m *model) footer() string {
	quit := [2]string{"q", m.quitWord()}
	back, scroll := [2]string{"esc", "back"}, [2]string{"↑↓ g G", "scroll"}
	explain, pods := [2]string{"?", "help"}, [2]string{"l", "pods' logs"}
	if m.page == podLogs {
		pods[1] = "requests"
	}
	switch {
	case m.note != "":
		return m.note
	case m.editing:
		return title.Render("/") + m.filter + chosen.Render(" ") + "  " +
			m.keys([2]string{"enter", "keep"}, [2]string{"esc", "undo"})
	case m.ending:
		return dim.Render("please wait; ctrl+c again cuts off what is under way")
	case m.page == help:
		return m.keys(quit, [2]string{"any key", "back"})
	case m.page == details:
		return m.keys(back, quit, explain, [2]string{"l", "requests, logs"}, [2]string{"o", "open"},
			[2]string{"y", "copy"}, scroll)
	case m.page == requests, m.page == podLogs:
		return m.keys(back, quit, pods, explain, scroll)
	case m.page == log:
		return m.keys(back, quit, explain, scroll)
	}
	return m.keys(explain, quit, [2]string{"o", "open"}, [2]string{"y", "copy"}, [2]string{"l", "logs"},
		[2]string{"i", "intercept"}, [2]string{"L", "log"}, [2]string{"/", "filter"}, [2]string{"enter", "details"},
		[2]string{"s", "sort"})
}

func (m *model) quitWord() string {
	if m.acts.quit == nil {
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

// wrapped are the lines of a text in a width.
func wrapped(text string, width int) iter.Seq[string] {
	return strings.SplitSeq(ansi.Wrap(text, max(1, width), ""), "\n")
}
