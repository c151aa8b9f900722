package output

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/devtun/devtun/cmd/cli/status"
)

// rows prints services, in columns if that is wanted. The columns are as wide as those
// printed before needed, so that later lines stand below the first ones.
func (l *Lines) rows(services []Service) {
	var table [][]string
	for _, service := range services {
		row := row(service)
		table = append(table, row)
		for i, cell := range row {
			l.widths[i] = max(l.widths[i], len(cell))
		}
	}
	for i, row := range table {
		last := len(row) - 1
		if l.look.Columns {
			for j := range last {
				row[j] += strings.Repeat(" ", l.widths[j]-len(row[j])+1)
			}
		}
		line := strings.Join(row[1:], " ")
		if reason := services[i].Reason; reason != "" {
			line += " (" + reason + ")"
		}
		fmt.Fprintln(l.out, l.paint(services[i].State, row[0])+" "+line)
	}
}

// row is the columns of a service: state, name, address, ports, host names.
func row(s Service) []string {
	row := []string{s.State, s.Label}
	if s.Address == "" || s.State == serviceGone {
		return row
	}
	return append(row, s.Address, ports(s.Ports), nested(s.Names))
}

// colours of the states, as ANSI escapes.
var colours = map[string]string{
	serviceReady: "\x1b[32m", serviceWaiting: "\x1b[33m", serviceFailed: "\x1b[31m",
	serviceSkipped: "\x1b[90m", serviceGone: "\x1b[90m",
}

func (l *Lines) paint(state, text string) string {
	if !l.look.Colour {
		return text
	}
	return colours[state] + text + "\x1b[0m"
}

// ports lists a service's ports.
func ports(all []Port) string {
	var list []status.Port
	for _, port := range all {
		list = append(list, status.Port{Local: port.Local, Port: port.Port})
	}
	return cmp.Or(status.PortList(list), "-")
}

// nested writes names of which each extends the one before as one word:
// web[.demo[.svc[.cluster.local]]].
func nested(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	text := names[0]
	for i := 1; i < len(names); i++ {
		text += "[" + strings.TrimPrefix(names[i], names[i-1])
	}
	return text + strings.Repeat("]", len(names)-1)
}
