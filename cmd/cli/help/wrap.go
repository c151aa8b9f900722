package help

import (
	"fmt"
	"strings"
)

// wrap breaks the lines of a text anew. What is indented is a table or an example, whose
// lines stay as they are.
func wrap(text string, width int) string {
	out := new(strings.Builder)
	var words []string
	flush := func() {
		if len(words) > 0 {
			fill(out, words, "", width)
			words = nil
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "" || strings.HasPrefix(line, "  "):
			flush()
			fmt.Fprintln(out, line)
		default:
			words = append(words, strings.Fields(line)...)
		}
	}
	flush()
	return out.String()
}

// fill writes words in lines. All but the first begin with indent.
func fill(out *strings.Builder, words []string, indent string, width int) {
	column := 0
	for i, word := range words {
		length := len([]rune(word))
		switch {
		case i == 0:
			column = len(indent)
		case column+1+length > width:
			fmt.Fprintf(out, "\n%s", indent)
			column = len(indent)
		default:
			out.WriteString(" ")
			column++
		}
		out.WriteString(word)
		column += length
	}
	fmt.Fprintln(out)
}

// list is a list of names and what they are, in two columns.
func list(rows [][2]string, width int) string {
	widest := 0
	for _, row := range rows {
		widest = max(widest, len(row[0]))
	}
	out := new(strings.Builder)
	for _, row := range rows {
		fmt.Fprintf(out, "  %-*s  ", widest, row[0])
		fill(out, strings.Fields(row[1]), strings.Repeat(" ", widest+4), width)
	}
	return out.String()
}
