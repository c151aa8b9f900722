package live

import (
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// column is one of a table's.
type column struct {
	title string
	rank  int  // where it is too narrow for all, those of the highest go first
	right bool // numbers stand to the right
	least int  // it may be cut to this width; 0: it is never cut
	fixed int  // its width, so that it does not jump with what it shows; 0: what it needs
	tight bool // it belongs to the next one
	spare bool // it is left out while all its cells are empty
}

// gap is the space behind a column.
func (c column) gap() int {
	if c.tight {
		return 1
	}
	return 2
}

// cell is what stands in a column of a line.
type cell struct {
	text  string
	style lipgloss.Style
}

// fit gives each column a width, 0 to those that there is no room for. needs is
// the width of the widest cell of each.
func fit(columns []column, needs []int, width int) []int {
	byRank := make([]int, len(columns))
	for i := range byRank {
		byRank[i] = i
	}
	slices.SortStableFunc(byRank, func(a, b int) int { return columns[a].rank - columns[b].rank })

	widths := make([]int, len(columns))
	left := width + 2
	for _, i := range byRank {
		if columns[i].spare && needs[i] == 0 {
			continue
		}
		wanted := max(needs[i], len(columns[i].title)+1) // for the sign of the sorted one
		if columns[i].fixed > 0 {
			wanted = columns[i].fixed
		}
		least := wanted
		if columns[i].least > 0 {
			least = min(columns[i].least, wanted)
		}
		least = min(least, width) // one there is always
		if gap := columns[i].gap(); least+gap <= left {
			widths[i] = least
			left -= least + gap
			continue
		}
		break
	}
	for _, i := range byRank { // what is left goes to those that were cut
		if widths[i] == 0 || columns[i].least == 0 {
			continue
		}
		more := max(0, min(needs[i]-widths[i], left))
		widths[i] += more
		left -= more
	}
	return widths
}

// needs is the width of the widest cell of each column.
func needs(columns []column, lines [][]cell) []int {
	widest := make([]int, len(columns))
	for _, line := range lines {
		for i, c := range line {
			widest[i] = max(widest[i], ansi.StringWidth(c.text))
		}
	}
	return widest
}

// titles is the first line of a table, with a sign at the column it is sorted by.
func titles(columns []column, widths []int, sorted, sign string) string {
	var cells []cell
	for _, c := range columns {
		if sorted != "" && c.title == sorted {
			c.title += sign
		}
		cells = append(cells, cell{c.title, title})
	}
	return join(columns, widths, cells, nil)
}

// join makes a line of cells; a style for the whole line goes over theirs.
func join(columns []column, widths []int, cells []cell, over *lipgloss.Style) string {
	var line strings.Builder
	space := 0
	for i, c := range cells {
		if widths[i] == 0 {
			continue
		}
		line.WriteString(strings.Repeat(" ", space))
		space = columns[i].gap()
		text := pad(c.text, widths[i], columns[i].right)
		if over == nil {
			text = c.style.Render(text)
		}
		line.WriteString(text)
	}
	if over != nil {
		return over.Render(line.String())
	}
	return line.String()
}

// pad makes text exactly so wide.
func pad(text string, width int, right bool) string {
	text = ansi.Truncate(text, width, "…")
	space := strings.Repeat(" ", max(0, width-ansi.StringWidth(text)))
	if right {
		return space + text
	}
	return text + space
}

// scroll is which of n lines a window of some height shows, so that at is in it.
// from is where it began before.
func scroll(n, height, at, from int) (first, last int) {
	height = max(height, 0)
	if at >= 0 && at < from {
		from = at
	}
	if at >= from+height {
		from = at - height + 1
	}
	from = max(0, min(from, n-height))
	return from, min(n, from+height)
}
