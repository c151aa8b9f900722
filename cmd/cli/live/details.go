package live

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/devtun/devtun/cmd/cli/status"
)

var connectionColumns = []column{
	{title: "ENDED", rank: 1, fixed: 6},
	{title: "PORT", rank: 4, fixed: 5, right: true},
	{title: "CLIENT", rank: 7, least: 15},
	{title: "POD", rank: 5, least: 12},
	{title: "SENT", rank: 3, fixed: 7, right: true},
	{title: "RECV", rank: 2, fixed: 7, right: true},
	{title: "TOOK", rank: 6, fixed: 7, right: true},
	{title: "WHY IT ENDED", rank: 1, least: 12},
}

// clientColumns are the same for an intercept, whose clients matter more than its
// agents.
var clientColumns = func() []column {
	columns := slices.Clone(connectionColumns)
	columns[2].rank, columns[3].title, columns[3].rank = 4, "AGENT", 8
	return columns
}()

// details is the page of one row: what there is to know of it in full, and its connections.
func (m *model) details(room int) []string {
	r, is := m.row()
	if !is {
		return []string{"", dim.Render("it is gone")}
	}
	lines := m.about(r)
	columns := connectionColumns
	if r.intercept {
		columns = clientColumns
	}
	var cells [][]cell
	for _, c := range r.use.Recent {
		cells = append(cells, connectionCells(c, m.now.at))
	}
	widths := fit(columns, needs(columns, cells), m.width)
	lines = append(lines, "", titles(columns, widths, "", ""))
	for _, c := range cells {
		lines = append(lines, join(columns, widths, c, nil))
	}
	if len(cells) == 0 {
		lines = append(lines, dim.Render("no connection has ended yet"))
	}
	first, last := m.pager.window(len(lines), room)
	return lines[first:last]
}

// about is all that there is to know of a row but for what goes through it one by one.
func (m *model) about(r row) (lines []string) {
	add := func(text string, style func(...string) string) {
		for part := range wrapped(text, m.width) {
			lines = append(lines, style(part))
		}
	}
	lines = append(lines, title.Render(r.name))
	for _, d := range r.detail {
		add(d, dim.Render)
	}
	add(fmt.Sprintf("%d open, %d in all, %s sent, %s received", r.use.Open, r.use.Total, size(float64(r.use.Sent)),
		size(float64(r.use.Received))), plain.Render)
	switch {
	case r.reason == "":
	case r.amiss:
		add(r.reason, r.style.Render)
	default:
		add(r.reason, plain.Render)
	}
	if r.use.LastError != "" {
		when := ""
		if r.use.LastErrorAt != nil {
			when = ", " + ago(m.now.at.Sub(*r.use.LastErrorAt)) + " ago"
		}
		add("last error"+when+": "+r.use.LastError, plain.Render)
	}
	return lines
}

func connectionCells(c status.Connection, now time.Time) []cell {
	why, style := c.Reason, plain
	if c.Error != "" {
		style = bad
		if !strings.Contains(c.Error, why) {
			why += ": " + c.Error
		}
	}
	pod := c.Pod
	if pod == "" && c.Here {
		pod = "here"
	}
	return []cell{
		{ago(now.Sub(c.Ended)), dim}, {status.Port{Port: c.Port, Protocol: c.Protocol}.Number(), plain},
		{cmp.Or(c.Caller, c.Client), dim}, {pod, plain},
		{size(float64(c.Sent)), plain}, {size(float64(c.Received)), plain}, {took(c.Seconds), plain}, {why, style},
	}
}
