package live

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// keyWidth is the room for the keys' names.
const keyWidth = 11

// keyHelp explains all keys.
var keyHelp = [][2]string{
	{"↑ ↓ j k", "select; page up and down, g and G as in less"},
	{"enter", "all about the selected service, and its connections"},
	{"o", "open its URL in the browser"},
	{"y", "copy its URL"},
	{"l", "its requests; l again: its pods' logs"},
	{"i", "intercept it, or give it back"},
	{"f", "show the services that are not forwarded"},
	{"/", "show only what contains a text; esc shows all again"},
	{"s", "sort by the next column"},
	{"S", "reverse the order"},
	{"L, tab", "the log: what was said, and what has changed"},
	{"esc", "back"},
	{"?", "this help"},
	{"q, ctrl+c", "quit"},
}

// help is the page of all keys.
func (m *model) help(room int) []string {
	var lines []string
	for _, k := range keyHelp {
		name := title.Render(pad(k[0], keyWidth, false))
		for part := range wrapped(k[1], m.width-keyWidth) {
			lines = append(lines, name+part)
			name = strings.Repeat(" ", keyWidth)
		}
	}
	lines = append(lines, "",
		good.Render("●")+" ready   "+middling.Render("○")+" waiting   "+bad.Render("✗")+" failed   "+
			dim.Render("-")+" not forwarded")
	about := "OPEN: connections. SENT: what clients have sent, RECV: what they have got, in bytes."
	for part := range wrapped(about, m.width) {
		lines = append(lines, dim.Render(part))
	}
	for i := range lines {
		lines[i] = ansi.Truncate(lines[i], m.width, "…")
	}
	first, last := m.pager.window(len(lines), room)
	return lines[first:last]
}
