package live

import (
	"github.com/charmbracelet/x/ansi"
	"strings"
	"unicode"
)

var requestColumns = []column{
	{title: "TIME", rank: 4, fixed: 8},
	{title: "CALLER", rank: 5, least: 12},
	{title: "REQUEST", rank: 1, least: 16, fill: true},
	{title: "STATUS", rank: 2, least: 6},
	{title: "TOOK", rank: 3, fixed: 7, right: true},
	{title: "BY", rank: 6, least: 8},
}

// look shows the requests of a row, and then its pods' logs.
func (m *model) look(r row) {
	if m.page != requests {
		m.tail.stop()
		m.page, m.pager = requests, pager{end: true}
		if !r.intercept && !r.left && m.acts.read != nil {
			m.acts.read(r.namespace, r.services[0])
		}
		return
	}
	m.page, m.pager = podLogs, pager{end: true}
	m.tail.start(m.acts.logs, r)
}

// requests are those of the selected row, the latest below.
func (m *model) requests(room int) []string {
	r, is := m.row()
	if !is {
		return []string{"", dim.Render("it is gone")}
	}
	head := []string{title.Render(r.name) + "  requests"}
	all := r.use.Requests
	if len(all) == 0 {
		for part := range wrapped(m.noRequests(r), m.width) {
			head = append(head, dim.Render(part))
		}
		return head
	}
	var cells [][]cell
	for n := len(all) - 1; n >= 0; n-- {
		q := all[n]
		cells = append(cells, []cell{
			{q.Ended.Format("15:04:05"), dim}, {q.Caller, plain}, {q.What, plain}, {q.Outcome, plain},
			{took(q.Seconds), plain}, {q.By, dim},
		})
	}
	widths := fit(requestColumns, needs(requestColumns, cells), m.width)
	head = append(head, titles(requestColumns, widths, "", ""))
	first, last := m.pager.window(len(cells), room-len(head))
	for _, c := range cells[first:last] {
		head = append(head, join(requestColumns, widths, c, nil))
	}
	return head
}

// noRequests says why none are seen.
func (m *model) noRequests(r row) string {
	switch {
	case r.left:
		return "it is not forwarded"
	case r.intercept:
		return "no request has ended yet"
	case m.acts.read == nil:
		return "requests are read with 'devtun forward -v', or with l in its own table"
	}
	return "no request has ended yet: those of connections that begin from now on are read (HTTP without TLS)"
}

// printable is a line as it may be shown: what it does to a terminal is left out.
func printable(text string) string {
	text = strings.ReplaceAll(ansi.Strip(text), "\t", "    ")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
}

// podLogs are those of the selected row's pods.
func (m *model) podLogs(room int) []string {
	r, is := m.row()
	if !is {
		return []string{"", dim.Render("it is gone")}
	}
	head := []string{title.Render(r.name) + "  pods' logs"}
	var lines []string
	for _, text := range m.tail.lines {
		for part := range wrapped(printable(text), m.width) {
			lines = append(lines, part)
		}
	}
	if len(lines) == 0 {
		return append(head, dim.Render("nothing yet"))
	}
	first, last := m.pager.window(len(lines), room-len(head))
	return append(head, lines[first:last]...)
}
