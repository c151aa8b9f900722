package claim

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ruleOf reads a rule: headers, and what begins with / or ~, and methods.
func ruleOf(t *testing.T, parts ...string) (r Rule) {
	t.Helper()
	for _, part := range parts {
		switch key, isPersonal := strings.CutPrefix(part, "personal "); {
		case isPersonal:
			r.Headers = append(r.Headers, Personal(key))
		case strings.HasPrefix(part, "/") || strings.HasPrefix(part, "~"):
			r.Path = part
		case strings.ToUpper(part) == part && !strings.ContainsAny(part, "=~"):
			r.Methods = strings.Split(part, ",")
		default:
			h, err := ParseHeader(part)
			require.NoError(t, err)
			r.Headers = append(r.Headers, h)
		}
	}
	_, err := r.Compile()
	require.NoError(t, err)
	return r
}

func TestMatch(t *testing.T) {
	type request struct {
		method, path string
		header       http.Header
	}
	get := func(path string, lines ...string) request {
		r := request{"GET", path, http.Header{}}
		for _, line := range lines {
			name, value, _ := strings.Cut(line, ": ")
			r.header.Add(name, value)
		}
		return r
	}
	for _, c := range []struct {
		rule    []string
		request request
		want    bool
	}{
		{nil, get("/"), true},
		{nil, get("*"), true},
		{[]string{"x-tester=7"}, get("/", "X-Tester: 7"), true},
		{[]string{"X-TESTER=7"}, get("/", "X-Tester: 1", "X-Tester: 7"), true},
		{[]string{"x-tester=7"}, get("/", "X-Tester: 77"), false},
		{[]string{"x-tester=7"}, get("/", "X-Tester: 7, 7"), false},
		{[]string{"x-tester=7"}, get("/"), false},
		{[]string{"x-tester~7"}, get("/", "X-Tester: 177"), true},
		{[]string{"x-tester~^7$"}, get("/", "X-Tester: 177"), false},
		{[]string{"x-tester=7", "y=1"}, get("/", "X-Tester: 7"), false},
		{[]string{"x-tester=7", "y=1"}, get("/", "X-Tester: 7", "Y: 1"), true},
		{[]string{"personal ann"}, get("/", "Baggage: devtun=ann"), true},
		{[]string{"personal ann"}, get("/", "Baggage: a=b , devtun = ann;p=1;q,c=d"), true},
		{[]string{"personal ann"}, get("/", "Baggage: devtun=anna"), false},
		{[]string{"personal ann"}, get("/", "Baggage: xdevtun=ann"), false},
		{[]string{"personal ann"}, get("/", "Baggage: a=devtun=ann"), false},
		{[]string{"personal ann"}, get("/", "Baggage: a=1;devtun=ann"), false},
		{[]string{"personal ann lee"}, get("/", "Baggage: devtun=ann%20lee"), true},
		{[]string{"personal ann"}, get("/", "Baggage: devtun=%61nn"), true},
		{[]string{"/api/"}, get("/api/x"), true},
		{[]string{"/api/"}, get("/api"), false},
		{[]string{"/api"}, get("/apis"), true},
		{[]string{"~^/v[12]/"}, get("/v2/x"), true},
		{[]string{"~^/v[12]/"}, get("/x/v2/"), false},
		{[]string{"POST,PUT"}, get("/"), false},
		{[]string{"GET,PUT"}, get("/"), true},
		{[]string{"GET", "/api/", "x=1"}, get("/api/", "X: 1"), true},
		{[]string{"GET", "/api/", "x=1"}, get("/", "X: 1"), false},
	} {
		rule := ruleOf(t, c.rule...)
		m, err := rule.Compile()
		require.NoError(t, err)
		values := func(name string) []string { return c.request.header[http.CanonicalHeaderKey(name)] }
		require.Equal(t, c.want, m.Match(c.request.method, c.request.path, values), "%s and %v", rule, c.request)
	}
}

func TestInvalid(t *testing.T) {
	for text, want := range map[string]string{
		"x-tester":                            "neither NAME=VALUE nor NAME~REGEXP",
		"x-tester: 7":                         "neither",
		"=7":                                  "not a header name",
		"x tester=7":                          "not a header name",
		"x(y)=7":                              "not a header name",
		"grüße=7":                             "not a header name",
		"x=":                                  "no value",
		"x= 7":                                "no value",
		"x=a\nb":                              "no value",
		"x~(":                                 "missing closing )",
		"x~a{2000}":                           "invalid repeat count",
		"x=" + strings.Repeat("a", maxText+1): "no value",
	} {
		_, err := ParseHeader(text)
		require.ErrorContains(t, err, want, text)
	}
	for want, rule := range map[string]Rule{
		"is no path: one begins with /": {Path: "api"},
		"no path as it is sent":         {Path: "/api?x=1"},
		"missing closing ]":             {Path: "~^/v[12/"},
		"1 to 1024 bytes":               {Path: "~"},
		"no method in upper case":       {Methods: []string{"get"}},
		`"" is no method`:               {Methods: []string{""}},
		"no way to compare":             {Headers: []Header{{"x", "?", "1"}}},
		"more than one member":          {Headers: []Header{{"x", Has, "a,b"}}},
		"at most 16 headers":            {Headers: make([]Header, 17)},
	} {
		_, err := rule.Compile()
		require.ErrorContains(t, err, want)
	}
}

func TestRuleForPeople(t *testing.T) {
	for want, rule := range map[string]Rule{
		"everything":                           {},
		"header x-tester=7, path /api/":        ruleOf(t, "x-tester=7", "/api/"),
		"header baggage with devtun=ann%2Clee": ruleOf(t, "personal ann,lee"),
		"path ~^/v[12]/, method POST,PUT":      ruleOf(t, "POST,PUT", "~^/v[12]/"),
		"header a~^b$, header c=d":             ruleOf(t, "a~^b$", "c=d"),
	} {
		require.Equal(t, want, rule.String())
	}
}

func TestStored(t *testing.T) {
	rule := ruleOf(t, "x=1", "personal ann", "~^/v", "GET,PUT")
	text, err := json.Marshal(Claim{ID: "a", Rule: rule, Grace: 30e9})
	require.NoError(t, err)
	require.Contains(t, string(text), `"grace":"30s"`)
	var read Claim
	require.NoError(t, json.Unmarshal(text, &read))
	require.Equal(t, rule, read.Rule)
	all, err := json.Marshal(Claim{})
	require.NoError(t, err)
	require.Contains(t, string(all), `"rule":{}`)
}
