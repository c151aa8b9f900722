package live

import (
	"github.com/devtun/devtun/cmd/cli/status"
)

var requestColumns = []column{
	{title: "ENDED", rank: 1, fixed: 6},
	{title: "CALLER", rank: 4, least: 12},
	{title: "REQUEST", rank: 1, least: 16},
	{title: "STATUS", rank: 2, least: 6},
	{title: "TOOK", rank: 3, fixed: 7, right: true},
	{title: "ANSWERED BY", rank: 5, least: 8},
}

// requests are the latest ones of a row, as far as there is room for.
func (m *model) requests(all []status.Request, room int) []string {
	var cells [][]cell
	for _, r := range all[:max(0, min(len(all), room-1))] {
		cells = append(cells, []cell{
			{ago(m.now.at.Sub(r.Ended)), dim}, {r.Caller, dim}, {r.What, plain}, {r.Outcome, plain},
			{took(r.Seconds), plain}, {r.By, dim},
		})
	}
	widths := fit(requestColumns, needs(requestColumns, cells), m.width)
	lines := []string{titles(requestColumns, widths, "", "")}
	for _, row := range cells {
		lines = append(lines, join(requestColumns, widths, row, nil))
	}
	return lines
}
