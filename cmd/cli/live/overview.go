package live

import (
	"fmt"
	"slices"
)

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
	reasonStyle := dim
	if r.amiss {
		reasonStyle = r.style
	}
	if r.left {
		return []cell{{cursor + r.mark, dim}, {r.name, dim}, {r.where, dim}, {}, {}, {}, {}, {}, {r.reason, dim}}
	}
	pod := plain
	if r.mark != "●" {
		pod = r.style
	}
	return []cell{
		{cursor + r.mark, r.style}, {r.name, plain}, {r.where, plain}, {r.ports, dim}, {pods, pod}, {open, plain},
		{perSecond(r.rate.sent), plain}, {perSecond(r.rate.received), plain}, {r.reason, reasonStyle},
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
