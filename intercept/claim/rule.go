package claim

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Bounds of a rule: whoever may write a plan could otherwise have an agent compile
// anything.
const (
	maxHeaders = 16
	maxMethods = 16
	maxText    = 1024 // bytes of a value, a path, or a regular expression
)

// Rule says which requests a developer wants: those that match all of it. The zero value
// is all requests, and whatever is no request.
type Rule struct {
	Headers []Header `json:"headers,omitempty"` // all of them
	// Path is how the request's begins, as it is sent ("/api/"), or "~" and a regular
	// expression that matches some of it.
	Path string `json:"path,omitempty"`
	// Methods are in upper case; the request has one of them.
	Methods []string `json:"methods,omitempty"`
}

// All reports that the rule is about everything.
func (r Rule) All() bool { return len(r.Headers) == 0 && r.Path == "" && len(r.Methods) == 0 }

// String is the rule for people: "header x-tester=7, path /api/".
func (r Rule) String() string {
	if r.All() {
		return "everything"
	}
	var all []string
	for _, h := range r.Headers {
		all = append(all, "header "+h.String())
	}
	if r.Path != "" {
		all = append(all, "path "+r.Path)
	}
	if len(r.Methods) > 0 {
		all = append(all, "method "+strings.Join(r.Methods, ","))
	}
	return strings.Join(all, ", ")
}

// Matcher is a rule that has been found valid. It may be used by several goroutines.
type Matcher struct {
	methods []string
	path    func(string) bool
	headers []matcher
}

// matcher is a header's.
type matcher struct {
	name  string
	match func(value string) bool
}

// Compile checks the rule. The error says what of it is invalid.
func (r Rule) Compile() (Matcher, error) {
	m := Matcher{methods: r.Methods}
	if len(r.Headers) > maxHeaders || len(r.Methods) > maxMethods {
		return m, fmt.Errorf("a rule has at most %d headers and %d methods", maxHeaders, maxMethods)
	}
	for _, method := range r.Methods {
		if !isToken(method) || method != strings.ToUpper(method) {
			return m, fmt.Errorf("%q is no method in upper case", method)
		}
	}
	var err error
	if m.path, err = compilePath(r.Path); err != nil {
		return m, err
	}
	for _, h := range r.Headers {
		match, err := h.compile()
		if err != nil {
			return m, err
		}
		m.headers = append(m.headers, matcher{h.Name, match})
	}
	return m, nil
}

func compilePath(path string) (func(string) bool, error) {
	expression, regular := strings.CutPrefix(path, "~")
	switch {
	case regular:
		return compileExpression(expression)
	case path != "" && path[0] != '/':
		return nil, fmt.Errorf("%q is no path: one begins with /, or with ~ and is a regular expression", path)
	case len(path) > maxText || strings.ContainsFunc(path, neverSent):
		return nil, fmt.Errorf("%q is no path as it is sent: it has at most %d bytes, all of them printable ASCII, "+
			"without ? and #", path, maxText)
	}
	return func(of string) bool { return strings.HasPrefix(of, path) }, nil
}

// neverSent reports that the path of no request has c.
func neverSent(c rune) bool { return c <= ' ' || c > '~' || c == '?' || c == '#' }

func compileExpression(text string) (func(string) bool, error) {
	if text == "" || len(text) > maxText {
		return nil, fmt.Errorf("a regular expression has 1 to %d bytes, not %d", maxText, len(text))
	}
	expression, err := regexp.Compile(text)
	if err != nil {
		return nil, err // which says what of which expression is wrong
	}
	return expression.MatchString, nil
}

// Match reports that a request matches, given its path as it is sent, without the query,
// and the values of each of its headers, whose names are asked for in lower case.
func (m Matcher) Match(method, path string, values func(name string) []string) bool {
	if len(m.methods) > 0 && !slices.Contains(m.methods, method) || !m.path(path) {
		return false
	}
	for _, h := range m.headers {
		if !slices.ContainsFunc(values(h.name), h.match) {
			return false
		}
	}
	return true
}
