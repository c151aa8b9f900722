package carry

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/tunnel/proxy"
)

// baggage is the header that is a list whoever writes it (W3C Baggage, section 3.2).
const baggage = "baggage"

// ofConnections are headers by which a message is framed or routed, or which are between
// two ends of a connection (RFC 9110, section 7.6.1; RFC 9112, section 6).
var ofConnections = []string{"connection", "content-length", "expect", "host", "http2-settings", "keep-alive",
	"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}

// Parse reads headers, each as "NAME: VALUE". The error says what is wrong with the first
// that is none, or that says another thing than one before.
func Parse(texts []string) (all []proxy.Carried, err error) {
	for _, text := range texts {
		name, value, found := strings.Cut(text, ":")
		name, value = strings.TrimSpace(name), strings.Trim(value, " \t")
		switch {
		case !found:
			return nil, fmt.Errorf("%q is not NAME: VALUE", text)
		case !httpguts.ValidHeaderFieldName(name):
			return nil, fmt.Errorf("%q is not a header name", name)
		case slices.Contains(ofConnections, strings.ToLower(name)):
			return nil, fmt.Errorf("header %s is the connection's own, and cannot be set", name)
		case value == "":
			return nil, fmt.Errorf("header %s has no value", name)
		case !httpguts.ValidHeaderFieldValue(value):
			return nil, fmt.Errorf("%q is not a header value", value)
		}
		all = append(all, proxy.Carried{Name: name, Value: value, List: strings.EqualFold(name, baggage)})
	}
	all, clashing := merge(all)
	if len(clashing) > 0 {
		return nil, fmt.Errorf("header %s is given two values", clashing[0])
	}
	return all, nil
}

// Of is what requests carry on for a rule to match them too; unknown are the headers of
// the rule that have no one value.
func Of(rule claim.Rule) (carried []proxy.Carried, unknown []claim.Header) {
	for _, h := range rule.Headers {
		value, known := h.Value, true
		if h.Op == claim.Matches {
			value, known = literal(h.Value)
		}
		if !known || !httpguts.ValidHeaderFieldValue(value) {
			unknown = append(unknown, h)
			continue
		}
		carried = append(carried, proxy.Carried{Name: h.Name, Value: value, List: h.Op == claim.Has || h.Name == baggage})
	}
	return carried, unknown
}

// literal is the only text that a regular expression matches, if it is a plain one.
func literal(expression string) (text string, plain bool) {
	compiled, err := regexp.Compile(expression)
	if err != nil {
		return "", false
	}
	return compiled.LiteralPrefix()
}

// merge leaves each header out that is there already, and those that have several values
// and are not lists: clashing are their names.
func merge(all []proxy.Carried) (merged []proxy.Carried, clashing []string) {
	for _, c := range all {
		same := func(other proxy.Carried) bool { return strings.EqualFold(other.Name, c.Name) }
		clashes := func(other proxy.Carried) bool {
			return same(other) && other.Value != c.Value && !(other.List && c.List)
		}
		switch {
		case slices.ContainsFunc(all, clashes):
			if name := strings.ToLower(c.Name); !slices.Contains(clashing, name) {
				clashing = append(clashing, name)
			}
		case !slices.ContainsFunc(merged, func(m proxy.Carried) bool { return same(m) && m.Value == c.Value }):
			merged = append(merged, c)
		}
	}
	return merged, clashing
}

// values are those of a header, in a request that carries these on.
func values(r *proxy.Request, carried []proxy.Carried, name string) []string {
	all := r.Values(name)
	absent := len(all) == 0
	for _, c := range carried {
		if strings.EqualFold(c.Name, name) && (c.List || absent) {
			all = append(all, c.Value)
		}
	}
	return all
}
