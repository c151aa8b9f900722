package output

import (
	"fmt"
	"slices"
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
		fmt.Fprintln(l.out, l.paint(services[i].State, row[0])+" "+line+l.about(services[i]))
	}
}

// row is the columns of a service: state, name, and how it is reached.
func row(s Service) []string {
	row := []string{s.State, s.Label}
	if len(s.URLs) == 0 || s.State == serviceGone {
		return row
	}
	return append(row, strings.Join(s.URLs, " "))
}

// about is what else there is to say of a service, in brackets; of those that are not
// there, only why.
func (l *Lines) about(s Service) string {
	if s.State == serviceGone || s.Address == "" {
		return bracketed(s.Reason)
	}
	about := []string{s.Address}
	if s.Pods > 0 {
		about = append(about, Count(s.Pods, "pod"))
	}
	if moved(s.Ports) {
		about = append(about, "ports "+ports(s.Ports))
	}
	if l.look.Verbose && len(s.Names) > 1 {
		about = append(about, "names "+strings.Join(s.Names, " "))
	}
	if s.Reason != "" {
		about = append(about, s.Reason)
	}
	return bracketed(strings.Join(about, ", "))
}

func bracketed(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
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

// moved reports whether a port has another number here.
func moved(all []Port) bool {
	return slices.ContainsFunc(all, func(p Port) bool { return p.Local != p.Port })
}

// ports lists a service's ports.
func ports(all []Port) string {
	var list []status.Port
	for _, port := range all {
		list = append(list, status.Port{Local: port.Local, Port: port.Port, Protocol: port.Protocol})
	}
	return status.PortList(list)
}
