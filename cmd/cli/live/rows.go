package live

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/devtun/devtun/cmd/cli/status"
)

// row is what can be selected: a service, or a port of an intercept.
type row struct {
	key       string // stays the same from one snapshot to the next
	intercept bool
	mark      string // how it stands, in one character
	style     lipgloss.Style
	name      string
	place     string   // what is typed to reach it, or where its traffic goes
	addresses []string // all that can be typed, URLs first
	address   string   // on this machine
	rule      string   // which requests an intercept is about; "": all
	pods      int      // ready ones, or agents
	use       status.Use
	rate      rate
	reason    string // what is amiss with it, or to be known of it
	amiss     bool   // it is dead
	left      bool   // it is not forwarded
	searched  string // what the filter looks at, in lower case
	detail    []string

	namespace string
	services  []string // by their names
	endpoints []string // names of its pods, if they are known
	workload  string   // that is intercepted, as "deployment/web"
}

// nothing is where the traffic goes of a workload that no Service leads to.
const nothing = ""

// rowsOf makes rows of a snapshot: intercepts first.
func rowsOf(s status.Snapshot) []row {
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
		searched := append([]string{r.name, r.place, r.address, r.rule, r.reason, r.use.LastError}, r.detail...)
		r.searched = strings.ToLower(strings.Join(searched, "\n"))
	}
	return rows
}

func serviceRow(s status.Service, namespace string) row {
	r := row{
		key:  "service/" + s.Namespace + "/" + s.Service + "/" + s.Pod,
		name: s.Label(namespace), addresses: s.Addresses(), address: s.Address, pods: s.Pods, use: s.Use, reason: s.Reason,
		namespace: s.Namespace, services: []string{s.Service}, endpoints: s.Endpoints,
	}
	slices.SortStableFunc(r.addresses, func(a, b string) int { return last(!isURL(a)) - last(!isURL(b)) })
	r.place = r.name
	if n := len(r.addresses); n > 0 {
		r.place = r.addresses[0]
		if n > 1 {
			r.place += fmt.Sprintf(" +%d", n-1)
		}
	}
	switch s.State {
	case "ready":
		r.mark, r.style = "●", good
	case "waiting":
		r.mark, r.style, r.amiss = "○", middling, true
	case "failed":
		r.mark, r.style, r.amiss = "✗", bad, true
	default:
		r.mark, r.style, r.left = "-", dim, true
	}
	if len(r.addresses) > 0 {
		r.detail = append(r.detail, "url      "+strings.Join(r.addresses, " "))
	}
	if s.Address != "" {
		r.detail = append(r.detail, "address  "+s.Address+", ports "+status.PortList(s.Ports))
	}
	if len(s.Names) > 0 {
		r.detail = append(r.detail, "names    "+strings.Join(s.Names, " "))
	}
	if len(s.Endpoints) > 0 {
		r.detail = append(r.detail, "pods     "+strings.Join(s.Endpoints, " "))
	}
	return r
}

func isURL(address string) bool { return strings.Contains(address, "://") }

// interceptRow is the row of an intercept's n-th route. What the intercept counts
// for all of them stands in the first.
func interceptRow(i status.Intercept, n int, namespace string) row {
	route := i.Routes[n]
	r := row{
		key: fmt.Sprintf("intercept/%s/%s/%d", i.Namespace, i.Name, route.Port), intercept: true,
		name: strings.Join(route.Services, ","), pods: i.Agents, use: i.Use, rule: ruleOf(i),
		namespace: i.Namespace, workload: i.Workload,
	}
	for _, service := range route.Services {
		name, _, _ := strings.Cut(service, ":")
		r.services = append(r.services, name)
	}
	if len(r.services) == 0 {
		r.services = []string{i.Name}
	}
	if n > 0 {
		r.use = status.Use{Recent: i.Recent, Requests: i.Requests}
	}
	r.place = status.Where(route.To, route.Local, r.rule != "")
	r.mark, r.style, r.reason, r.amiss = "○", middling, route.Reason, true
	switch route.To {
	case "developer", "mirror":
		r.mark, r.style, r.reason, r.amiss = "●", good, "", false
	case nothing:
		r.mark, r.style, r.place, r.amiss = "●", good, "runs here", false
	}
	switch i.State {
	case status.Standing:
	case status.Failed:
		r.mark, r.style, r.reason, r.amiss = "✗", bad, "it could not be restored", true
	default:
		r.mark, r.style, r.place, r.reason, r.amiss = "○", middling, i.State, "", false
	}
	of := i.Workload
	if i.Namespace != namespace {
		of += " in " + i.Namespace
	}
	r.detail = append(r.detail, fmt.Sprintf("%s %s, %s", of, i.State, i.Mode), "traffic  "+r.place)
	if r.rule != "" {
		r.detail = append(r.detail, "rule     "+i.Rule+"; other requests go to the cluster")
	}
	return r
}

// ruleOf is which requests an intercept is about, in a few characters; "" is all.
func ruleOf(i status.Intercept) string {
	if i.Rule == "everything" {
		return ""
	}
	return strings.ReplaceAll(i.Rule, "header ", "")
}

// same reports that another row is of a service of this one: one is its intercept.
func (r row) same(other row) bool {
	return r.namespace == other.namespace && r.intercept != other.intercept &&
		slices.ContainsFunc(r.services, func(name string) bool { return slices.Contains(other.services, name) })
}

// rememberError is for how long the overview shows an error that is over.
const rememberError = 10 * time.Minute

// trouble is what the overview says below a row: what is amiss with it, or was of late.
func (r row) trouble(now time.Time) (text string, style lipgloss.Style) {
	switch at := r.use.LastErrorAt; {
	case r.reason != "" && r.amiss:
		return r.reason, r.style
	case r.use.LastError != "" && at == nil:
		return r.use.LastError, dim
	case r.use.LastError != "" && now.Sub(*at) < rememberError:
		return ago(now.Sub(*at)) + " ago: " + r.use.LastError, dim
	}
	return r.reason, dim
}
