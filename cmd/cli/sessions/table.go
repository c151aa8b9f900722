package sessions

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/status"
)

// writeStatus writes a snapshot for people.
func writeStatus(out io.Writer, s status.Snapshot) {
	fmt.Fprintf(out, "session %s: %s (pid %d, since %s, %s)\n",
		s.Session, s.State, s.PID, s.Since.Local().Format(time.DateTime), cmp.Or(s.File, "in the foreground"))
	if s.Error != "" {
		fmt.Fprintf(out, "error: %s\n", s.Error)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(s.Services) > 0 {
		fmt.Fprintln(table, "SERVICE\tSTATE\tURL\tADDRESS\tPODS\tOPEN\tTOTAL\tSENT\tRECEIVED\tLAST ERROR")
	}
	for _, service := range s.Services {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\n",
			service.Label(s.Namespace), service.State, cmp.Or(strings.Join(service.Addresses(), " "), "-"),
			cmp.Or(service.Address, "-"), service.Pods, useCells(service.Use, service.Reason))
	}
	_ = table.Flush()
	if len(s.Relays) > 0 {
		fmt.Fprintln(table, "RELAY OF\tSTATE\tPODS\tLINKS\tOPEN\tTOTAL\tREASON")
	}
	for _, r := range s.Relays {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%d\t%d\t%s\n", r.Namespace, r.State, r.Agents, cmp.Or(ways(r.Links), "-"),
			r.Open, r.Total, cmp.Or(r.Reason, "-"))
	}
	_ = table.Flush()
	for _, r := range s.Relays {
		writeWhyNot(out, "relay of "+r.Namespace, r.Links)
	}
	if len(s.Intercepts) > 0 {
		fmt.Fprintln(table, "INTERCEPT\tSTATE\tMODE\tAGENTS\tLINKS\tTRAFFIC\tOPEN\tTOTAL\tSENT\tRECEIVED\tLAST ERROR")
	}
	for _, i := range s.Intercepts {
		var traffic []string
		for _, r := range i.Routes {
			traffic = append(traffic, fmt.Sprintf("%s -> %s", strings.Join(r.Services, ","), routeTarget(r, i.Rule)))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n",
			i.Workload, i.State, i.Mode, i.Agents, cmp.Or(ways(i.Links), "-"), cmp.Or(strings.Join(traffic, "; "), "-"),
			useCells(i.Use, ""))
	}
	_ = table.Flush()
	for _, i := range s.Intercepts {
		writeWhyNot(out, i.Workload, i.Links)
	}
	if len(s.Runs) > 0 {
		fmt.Fprintln(table, "RUN\tSTATE\tSINCE\tSTARTS\tFOR\tCOMMAND")
	}
	for _, r := range s.Runs {
		state := r.State
		if state == status.Ended {
			state = fmt.Sprintf("ended (%d)", r.ExitCode)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", r.Name, state, r.Since.Local().Format(time.TimeOnly), r.Starts,
			cmp.Or(r.Workload, "-"), strings.Join(r.Command, " "))
	}
	_ = table.Flush()
	if len(s.Environments) > 0 {
		fmt.Fprintln(table, "ENVIRONMENT OF\tCONTAINER\tWRITTEN TO")
	}
	for _, e := range s.Environments {
		var files []string
		for _, file := range []string{e.EnvFile, e.EnvJSON, e.Files} {
			if file != "" {
				files = append(files, file)
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", e.Workload, cmp.Or(e.Container, "-"), strings.Join(files, ", "))
	}
	_ = table.Flush()
}

// writeWhyNot says of links why they do not go by the pod proxy.
func writeWhyNot(out io.Writer, of string, links []status.Link) {
	for _, l := range links {
		if l.WhyNot != "" {
			fmt.Fprintf(out, "%s: the link to %s goes %s\n", of, l.Pod, output.Way(l.Way, l.WhyNot))
		}
	}
}

// ways are those of links, each once.
func ways(links []status.Link) string {
	var all []string
	for _, l := range links {
		all = append(all, l.Way)
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ",")
}

// useCells are the columns that services and intercepts share.
func useCells(u status.Use, reason string) string {
	return fmt.Sprintf("%d\t%d\t%d\t%d\t%s", u.Open, u.Total, u.Sent, u.Received, cmp.Or(u.LastError, reason, "-"))
}

// routeTarget is where a route leads of an intercept with that rule.
func routeTarget(r status.Route, rule string) string {
	target := status.Where(r.To, r.Local, rule != output.Everything)
	if r.To == "developer" {
		return target
	}
	if r.Reason != "" {
		target += " (" + r.Reason + ")"
	}
	return target
}
