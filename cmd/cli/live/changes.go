package live

import (
	"strings"

	"github.com/devtun/devtun/cmd/cli/status"
)

// changes says what has changed from one snapshot to the next, in the words of printed
// lines. Of a session whose own lines are seen (told) those are left out that it prints.
func changes(before, now status.Snapshot, told bool) (texts []string) {
	note := func(state, name, reason string) {
		text := state + " " + name
		if reason != "" {
			text += " (" + reason + ")"
		}
		texts = append(texts, text)
	}
	type key struct{ namespace, service, pod string }
	keyOf := func(s status.Service) key { return key{s.Namespace, s.Service, s.Pod} }
	old := make(map[key]status.Service)
	for _, s := range before.Services {
		old[keyOf(s)] = s
	}
	for _, s := range now.Services {
		was, known := old[keyOf(s)]
		delete(old, keyOf(s))
		if known && was.State == s.State && was.Reason == s.Reason || told && s.State == "failed" {
			continue
		}
		note(s.State, s.Label(now.Namespace), s.Reason)
	}
	for _, s := range before.Services {
		if _, gone := old[keyOf(s)]; gone {
			note("gone", s.Label(before.Namespace), "")
		}
	}
	if told {
		return texts
	}
	routes := routesOf(before)
	for _, i := range now.Intercepts {
		for _, r := range i.Routes {
			if line := routeLine(i, r); routes[strings.Join(r.Services, ", ")] != line {
				texts = append(texts, line)
			}
		}
	}
	return texts
}

// routesOf are the lines of a snapshot's routes, by their services.
func routesOf(s status.Snapshot) map[string]string {
	all := make(map[string]string)
	for _, i := range s.Intercepts {
		for _, r := range i.Routes {
			all[strings.Join(r.Services, ", ")] = routeLine(i, r)
		}
	}
	return all
}

// routeLine is where a route leads, as a printed line.
func routeLine(i status.Intercept, r status.Route) string {
	line := strings.Join(r.Services, ", ") + " -> " + status.Where(r.To, r.Local, ruleOf(i) != "")
	if r.Reason != "" && r.To != "developer" {
		line += " (" + r.Reason + ")"
	}
	return line
}
