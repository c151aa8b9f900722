package live

import (
	"cmp"
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
	whole bool // rather than cut it, those that yield are left out
	yield bool
	fill  bool // it gets the room that is left over
}

// gap is the space behind a column.
func (c column) gap() int {
	if c.tight {
		return 1
	}
	return 2
}

// wanted is the width of a column whose widest cell needs so much.
func (c column) wanted(need int) int {
	if c.fixed > 0 {
		return c.fixed
	}
	return max(need, ansi.StringWidth(c.title)+1) // for the sign of the sorted one
}

// cell is what stands in a column of a line.
type cell struct {
	text  string
	style lipgloss.Style
}

// fit gives each column a width, 0 to those that there is no room for. needs is
// the width of the widest cell of each.
func fit(columns []column, needs []int, width int) []int {
	var shown []int // by rank
	for i, c := range columns {
		if !c.spare || needs[i] > 0 {
			shown = append(shown, i)
		}
	}
	slices.SortStableFunc(shown, func(a, b int) int { return cmp.Compare(columns[a].rank, columns[b].rank) })
	for n := len(shown); n > 0; n-- {
		if widths, left := place(columns, needs, shown[:n], width, true); left >= 0 {
			return spread(columns, needs, shown, widths, left)
		}
		if !columns[shown[n-1]].yield {
			break
		}
	}
	for n := len(shown); n > 1; n-- {
		if widths, left := place(columns, needs, shown[:n], width, false); left >= 0 {
			return spread(columns, needs, shown, widths, left)
		}
	}
	widths, _ := place(columns, needs, shown[:1], width, false) // one there is always
	return widths
}

// place gives each of the columns that are shown the least that it can do with, and says
// how much is left; negative: there is no room for them.
func place(columns []column, needs, shown []int, width int, whole bool) (widths []int, left int) {
	widths, left = make([]int, len(columns)), width
	last := slices.Max(shown)
	for _, i := range shown {
		c := columns[i]
		widths[i] = c.wanted(needs[i])
		if c.least > 0 && !(whole && c.whole) {
			widths[i] = min(widths[i], c.least)
		}
		widths[i] = min(widths[i], width)
		left -= widths[i]
		if i != last {
			left -= c.gap()
		}
	}
	return widths, left
}

// spread gives what is left to those that were cut, and then to the one that fills.
func spread(columns []column, needs, shown, widths []int, left int) []int {
	for _, i := range shown {
		if widths[i] > 0 && columns[i].least > 0 {
			more := max(0, min(columns[i].wanted(needs[i])-widths[i], left))
			widths[i] += more
			left -= more
		}
	}
	for _, i := range shown {
		if widths[i] > 0 && columns[i].fill {
			widths[i] += left
			left = 0
		}
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
