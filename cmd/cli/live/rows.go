package live

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/devtun/devtun/cmd/cli/status"
)

// row is one line of the view that can be selected: a service, or a port of an
// intercept.
type row struct {
	key       string // stays the same from one snapshot to the next
	intercept bool
	mark      string // how it stands, in one character
	style     lipgloss.Style
	name      string
	where     string // its address, or where its traffic goes
	pods      int    // ready ones, or agents
	ports     string
	use       status.Use
	rate      rate
	reason    string // what is amiss with it, or was last
	amiss     bool   // it is
	left      bool   // it is not forwarded
	searched  string // what the filter looks at, in lower case
	detail    []string
}

// nothing is where the traffic goes of a workload that no Service leads to.
const nothing = ""

// rowsOf makes rows of a snapshot: intercepts first.
func rowsOf(s status.Snapshot, at time.Time) []row {
	var rows []row
	for _, i := range s.Intercepts {
		if len(i.Routes) == 0 && i.Mode == "replace" {
			i.Routes = []status.Route{{Services: []string{i.Workload}, To: nothing}}
		}
		for n := range i.Routes {
			rows = append(rows, interceptRow(i, n, s.Namespace))
		}
	}
	for _, service := range s.Services {
		rows = append(rows, serviceRow(service, s.Namespace))
	}
	for n := range rows {
		r := &rows[n]
		if r.reason == "" && r.use.LastError != "" {
			r.reason = r.use.LastError
			if r.use.LastErrorAt != nil {
				r.reason = ago(at.Sub(*r.use.LastErrorAt)) + " " + r.reason
			}
		}
		r.searched = strings.ToLower(strings.Join(append([]string{r.name, r.where, r.reason}, r.detail...), "\n"))
	}
	return rows
}

func serviceRow(s status.Service, namespace string) row {
	r := row{
		key: "service/" + s.Namespace + "/" + s.Service + "/" + s.Pod, name: within(namespace, s.Service, s.Namespace),
		where: s.Address, pods: s.Pods, ports: status.PortList(s.Ports), use: s.Use,
	}
	if s.Pod != "" {
		r.name = s.Pod + "." + r.name
	}
	switch s.State {
	case "ready":
		r.mark, r.style = "●", good
		r.reason = ""
		if s.Reason != "" && s.LastError == "" {
			r.reason = s.Reason
		}
	case "waiting":
		r.mark, r.style, r.reason, r.amiss = "○", middling, s.Reason, true
	case "failed":
		r.mark, r.style, r.reason, r.amiss = "✗", bad, s.Reason, true
	default:
		r.mark, r.style, r.where, r.reason, r.left = "-", dim, s.State, s.Reason, true
	}
	if len(s.Names) > 0 {
		r.detail = append(r.detail, "names  "+strings.Join(s.Names, " "))
	}
	if len(s.Endpoints) > 0 {
		r.detail = append(r.detail, "pods   "+strings.Join(s.Endpoints, " "))
	}
	return r
}

// interceptRow is the row of an intercept's n-th route. What the intercept counts
// for all of them stands in the first.
func interceptRow(i status.Intercept, n int, namespace string) row {
	route := i.Routes[n]
	r := row{
		key: fmt.Sprintf("intercept/%s/%s/%d", i.Namespace, i.Name, route.Port), intercept: true,
		name: strings.Join(route.Services, ","), pods: i.Agents, use: i.Use, ports: strconv.Itoa(route.Port),
		detail: []string{fmt.Sprintf("%s %s, %s", within(namespace, i.Workload, i.Namespace), i.State, i.Mode)},
	}
	if n > 0 {
		r.use = status.Use{Recent: i.Recent}
	}
	r.mark, r.style = "○", middling
	switch route.To {
	case "developer":
		r.mark, r.style, r.where = "●", good, "→ "+route.Local
	case "both":
		r.where = "→ origin, " + route.Local
	case "held":
		r.where = "held"
	case nothing:
		r.mark, r.style, r.where, r.ports = "●", good, "runs here", "-"
	default:
		r.where = "→ the origin"
	}
	if route.To != "developer" {
		r.reason = route.Reason
	}
	switch i.State {
	case status.Standing:
	case status.Failed:
		r.mark, r.style, r.reason, r.amiss = "✗", bad, "it could not be restored", true
	default:
		r.mark, r.style, r.where, r.reason = "○", middling, i.State, ""
	}
	return r
}

// within names something as its user would: without the session's namespace.
func within(own, name, namespace string) string {
	if namespace == own {
		return name
	}
	return name + "." + namespace
}

// order is a way to sort services: words from A on, numbers from the largest.
type order struct {
	column string // its title
	sign   string // what that gets
	less   func(a, b row) int
}

// orders are the ways there are, in the order of the key that changes them. The
// first one is that of the snapshot.
var orders = []order{
	{"SERVICE", "▲", nil},
	{"ADDRESS", "▲", func(a, b row) int { return cmp.Compare(a.where, b.where) }},
	{"PODS", "▼", func(a, b row) int { return cmp.Compare(b.pods, a.pods) }},
	{"OPEN", "▼", func(a, b row) int { return cmp.Compare(b.use.Open, a.use.Open) }},
	{"SENT/s", "▼", func(a, b row) int { return cmp.Compare(b.rate.sent, a.rate.sent) }},
	{"RECV/s", "▼", func(a, b row) int { return cmp.Compare(b.rate.received, a.rate.received) }},
	{"LAST ERROR", "▼", func(a, b row) int { return cmp.Compare(troubleRank(b), troubleRank(a)) }},
}

func last(is bool) int {
	if is {
		return 1
	}
	return 0
}

// troubleRank puts what is amiss before what was, and the latest before others.
func troubleRank(r row) int64 {
	switch {
	case r.amiss:
		return 1 << 62
	case r.use.LastErrorAt != nil:
		return r.use.LastErrorAt.UnixNano()
	}
	return 0
}

// arrange filters rows and sorts the services among them.
func arrange(rows []row, filter string, by int, reverse bool) []row {
	filter = strings.ToLower(filter)
	kept := slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return !strings.Contains(r.searched, filter) })
	first := slices.IndexFunc(kept, func(r row) bool { return !r.intercept })
	if first < 0 {
		return kept
	}
	services := kept[first:]
	less := orders[by].less
	if less == nil {
		less = func(row, row) int { return 0 }
	}
	if reverse {
		slices.Reverse(services)
		forth := less
		less = func(a, b row) int { return forth(b, a) }
	}
	slices.SortStableFunc(services, less)
	slices.SortStableFunc(services, func(a, b row) int { return last(a.left) - last(b.left) }) // these last
	return kept
}

// ago is how long ago something was, in a few characters.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// size is a number of bytes in three digits and a unit.
func size(n float64) string {
	const units = "kMGTP"
	if n < 1000 {
		return fmt.Sprintf("%.0f B", n)
	}
	unit := -1
	for n >= 999.5 && unit < len(units)-1 {
		n /= 1000
		unit++
	}
	if n < 9.95 {
		return fmt.Sprintf("%.1f %cB", n, units[unit])
	}
	return fmt.Sprintf("%.0f %cB", n, units[unit])
}

// perSecond is a rate; none is a dash.
func perSecond(n float64) string {
	if n < 0.5 {
		return "-"
	}
	return size(n)
}
