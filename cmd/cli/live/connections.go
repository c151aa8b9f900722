package live

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

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

// connections is the page of one row.
func (m *model) connections(room int) []string {
	// also if the filter lets it through no more
	at := slices.IndexFunc(m.all, func(r row) bool { return r.key == m.selected })
	if at < 0 {
		return []string{"", dim.Render("it is gone")}
	}
	r := m.all[at]
	about := r.where
	if r.ports != "" && !r.intercept {
		about += ":" + r.ports
	}
	lines := []string{title.Render(r.name) + "  " + about}
	if room >= 12 {
		for _, d := range r.detail {
			for _, part := range strings.Split(ansi.Wrap(d, m.width, ""), "\n") {
				lines = append(lines, dim.Render(part))
			}
		}
	}
	sums := fmt.Sprintf("%d open, %d in all, %s sent, %s received", r.use.Open, r.use.Total, size(float64(r.use.Sent)),
		size(float64(r.use.Received)))
	lines = append(lines, sums)
	if r.reason != "" {
		style := plain
		if r.amiss {
			style = r.style
		}
		lines = append(lines, style.Render("last error: "+r.reason))
	}
	if room >= 12 {
		lines = append(lines, "")
	}

	if len(r.use.Requests) > 0 && room >= 12 {
		lines = append(append(lines, m.requests(r.use.Requests, (room-len(lines))/2)...), "")
	}
	columns := connectionColumns
	if r.intercept {
		columns = clientColumns
	}
	var cells [][]cell
	for _, c := range r.use.Recent {
		cells = append(cells, connectionCells(c, m.now.at))
	}
	widths := fit(columns, needs(columns, cells), m.width)
	lines = append(lines, titles(columns, widths, "", ""))
	if len(cells) == 0 {
		return append(lines, dim.Render("no connection has ended yet"))
	}
	first, last := scroll(len(cells), room-len(lines), -1, m.line)
	m.line = first
	for i := first; i < last; i++ {
		lines = append(lines, join(columns, widths, cells[i], nil))
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
		{ago(now.Sub(c.Ended)), dim}, {fmt.Sprint(c.Port), plain}, {c.Client, dim}, {pod, plain},
		{size(float64(c.Sent)), plain}, {size(float64(c.Received)), plain}, {took(c.Seconds), plain}, {why, style},
	}
}

// took is a duration in a few characters.
func took(seconds float64) string {
	switch {
	case seconds < 0.9995:
		return fmt.Sprintf("%.0fms", seconds*1000)
	case seconds < 59.95:
		return fmt.Sprintf("%.1fs", seconds)
	}
	return ago(time.Duration(seconds * float64(time.Second)))
}
