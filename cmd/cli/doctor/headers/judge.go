package headers

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/output"
)

// hop is a request from one service to another that follows from the one that was sent.
type hop struct {
	from, to string // from is "" if it is not known
	carried  bool   // with the header
	line     string // what was asked, for people
}

// slack is how much later than the answer a tap may tell of a request that was made for it.
const slack = 300 * time.Millisecond

// hops are those of the requests that follow from the one that was sent: they have its header,
// or its trace, or they were made by the namespace's services before it was answered.
func (o Options) hops(all []told, marker string, answered time.Time) (hops []hop) {
	for _, r := range all {
		h := hop{from: o.serviceOf(r.Caller), to: r.to, carried: has(r.RequestHeader, "baggage", marker),
			line: fmt.Sprintf("%s of %s: %s", r.to, r.Caller, r.What)}
		ours := h.carried || has(r.RequestHeader, "traceparent", traceOf(marker)) ||
			h.from != "" && r.at.Before(answered.Add(slack))
		if ours {
			hops = append(hops, h)
		}
	}
	return hops
}

func has(header []output.Field, name, words string) bool {
	return slices.ContainsFunc(header, func(f output.Field) bool {
		return strings.EqualFold(f.Name, name) && strings.Contains(f.Value, words)
	})
}

// serviceOf is the service of the namespace whose pod made a request, "" for none.
func (o Options) serviceOf(pod string) string {
	for _, n := range o.From.Neighbours {
		if pod != "" && slices.Contains(n.Pods, pod) {
			return n.Service
		}
	}
	return ""
}

// judge says where the header came along and where it was lost. A service loses it that has it
// and does not pass it on: the one that got the request, and those that a request reached with it.
func judge(first string, hops []hop) (results []check.Result) {
	if len(hops) == 0 {
		return []check.Result{notChecked("Service %q asked no other HTTP service for the request, or did so by connections "+
			"that stood before, which are not looked into", first)}
	}
	has := []string{first}
	for i := 0; i < len(has); i++ {
		for _, h := range hops {
			if h.from == has[i] && h.carried && !slices.Contains(has, h.to) {
				has = append(has, h.to)
			}
		}
	}
	told := make(map[string]bool)
	passes := func(from, to string) bool {
		return slices.ContainsFunc(hops, func(h hop) bool { return h.from == from && h.to == to && h.carried })
	}
	for _, h := range hops {
		pair := h.from + " " + h.to
		switch {
		case told[pair]:
			continue
		case passes(h.from, h.to):
			from := h.from
			if from == "" {
				from = "an unknown pod"
			}
			results = append(results, result(check.OK, "%s passes baggage on to %s", from, h.to))
		case slices.Contains(has, h.from):
			r := result(check.Fault, "%s got the request without it: baggage is lost in %s", h.to, h.from)
			r.Evidence = []string{h.line}
			r.Hint = fmt.Sprintf("have %s pass the header baggage on: OpenTelemetry does, with OTEL_PROPAGATORS="+
				"tracecontext,baggage; or copy it from each request to those that are made for it", h.from)
			results = append(results, r)
		default:
			continue // it had none to pass on
		}
		told[pair] = true
	}
	return results
}
