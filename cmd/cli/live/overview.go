package live

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// widest bounds the tables: what stands further apart is not read as one line.
const widest = 120

// serviceColumns are the overview's. Where it is narrow the address does for the name,
// which is in it.
var serviceColumns = []column{
	{title: "", rank: 0, fixed: 2, tight: true},
	{title: "SERVICE", rank: 6, yield: true, spare: true},
	{title: "URL", rank: 1, least: 28, whole: true, fill: true},
	{title: "ADDRESS", rank: 7, yield: true},
	{title: "PODS", rank: 4, fixed: 5, right: true, yield: true},
	{title: "OPEN", rank: 3, fixed: 5, right: true},
	{title: "SENT/s", rank: 5, fixed: 7, right: true, yield: true},
	{title: "RECV/s", rank: 2, fixed: 7, right: true},
}

var interceptColumns = []column{
	{title: "", rank: 0, fixed: 2, tight: true},
	{title: "INTERCEPT", rank: 1, least: 19, whole: true},
	{title: "TRAFFIC", rank: 1, least: 14, whole: true, fill: true},
	{title: "RULE", rank: 2, least: 10, spare: true, whole: true},
	{title: "AGENTS", rank: 6, fixed: 6, right: true, yield: true},
	{title: "OPEN", rank: 4, fixed: 5, right: true},
	{title: "SENT/s", rank: 5, fixed: 7, right: true, yield: true},
	{title: "RECV/s", rank: 3, fixed: 7, right: true},
}

// thirdColumn is that of an intercept's rule, and of a service's address.
const thirdColumn = 3

func (r row) cells(selected bool) []cell {
	cursor := " "
	if selected {
		cursor = "›"
	}
	pod := plain
	if r.mark != "●" {
		pod = r.style
	}
	third := cell{r.address, dim}
	if r.intercept {
		third = cell{r.rule, plain}
	}
	return []cell{
		{cursor + r.mark, r.style}, {r.name, plain}, {r.place, plain}, third, {fmt.Sprint(r.pods), pod},
		{fmt.Sprint(r.use.Open), plain}, {perSecond(r.rate.sent), plain}, {perSecond(r.rate.received), plain},
	}
}

// block is a table whose rows may have a line of their own below them.
type block struct {
	lines []string
	rows  []int // of the lines: which of the model's rows they are
}

// block draws rows, from the model's first-th on.
func (m *model) block(columns []column, widths []int, rows []row, first int) (b block) {
	add := func(n int, line string) { b.lines, b.rows = append(b.lines, line), append(b.rows, first+n) }
	at := m.at()
	for n, r := range rows {
		selected := first+n == at
		if r.left {
			add(n, leftLine(r, selected))
			continue
		}
		if selected {
			add(n, join(columns, widths, r.cells(true), &chosen))
		} else {
			add(n, join(columns, widths, r.cells(false), nil))
		}
		below := func(text string, style lipgloss.Style) {
			if text != "" {
				add(n, style.Render(ansi.Truncate("     "+text, min(m.width, widest), "…")))
			}
		}
		if r.rule != "" && widths[thirdColumn] == 0 {
			below("only "+r.rule, plain)
		}
		below(r.trouble(m.now.at))
	}
	return b
}

// window is as much of it as there is room for, with the selected row in it.
func (b block) window(height, selected, from int) (lines []string, first int) {
	at, until := -1, -1
	for i, row := range b.rows {
		if row == selected {
			if at < 0 {
				at = i
			}
			until = i
		}
	}
	first, last := scroll(len(b.lines), height, at, until, from)
	return b.lines[first:last], first
}

// leftLine is a service that is not forwarded, and why.
func leftLine(r row, selected bool) string {
	text := " - " + r.name
	if selected {
		text = "›" + text[1:]
	}
	if r.reason != "" {
		text += "  " + r.reason
	}
	if selected {
		return chosen.Render(text)
	}
	return dim.Render(text)
}

// overview is the table of intercepts, if there are any, and that of services.
func (m *model) overview(room int) (lines []string) {
	width := min(m.width, widest)
	split := 0
	for split < len(m.rows) && m.rows[split].intercept {
		split++
	}
	if split > 0 {
		widths := m.widths(interceptColumns, m.rows[:split], width)
		shown, _ := m.block(interceptColumns, widths, m.rows[:split], 0).window(max(1, room/2-1), m.at(), 0)
		lines = append(lines, titles(interceptColumns, widths, "", ""))
		lines = append(lines, shown...)
		if len(m.now.Services) == 0 {
			return lines
		}
		if room >= 12 {
			lines = append(lines, "")
		}
	}
	services := m.rows[split:]
	widths := m.widths(serviceColumns, services, width)
	sorted, sign := orders[m.by].column, orders[m.by].sign
	if m.reverse {
		sign = turned[sign]
	}
	if sorted == "SERVICE" && widths[1] == 0 {
		sorted = "URL"
	}
	lines = append(lines, titles(serviceColumns, widths, sorted, sign))
	if len(services) == 0 && m.folded == 0 {
		return append(lines, dim.Render("  "+m.nothing()))
	}
	foot := m.fold()
	shown, first := m.block(serviceColumns, widths, services, split).window(room-len(lines)-len(foot), m.at(), m.first)
	m.first = first
	return append(append(lines, shown...), foot...)
}

// widths are those of a table of rows.
func (m *model) widths(columns []column, rows []row, width int) []int {
	var cells [][]cell
	for _, r := range rows {
		if !r.left {
			cells = append(cells, r.cells(false))
		}
	}
	return fit(columns, needs(columns, cells), width)
}

// fold is the line of the services that are not forwarded, unless they are shown.
func (m *model) fold() []string {
	if m.folded == 0 {
		return nil
	}
	var names []string
	for _, r := range m.all {
		if r.left {
			names = append(names, r.name)
		}
	}
	return []string{dim.Render(fmt.Sprintf(" - %d not forwarded (f shows why): %s", m.folded, strings.Join(names, ", ")))}
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
