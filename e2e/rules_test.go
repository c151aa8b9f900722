package e2e

import "testing"

// TestRulesThatCannotBe are refused before anything is made.
func TestRulesThatCannotBe(t *testing.T) {
	t.Parallel()
	n := described(t)
	n.apply(`{apiVersion: v1, kind: Service, metadata: {name: db}, spec: {selector: {app: service-middle}, ports: [{port: 3306, targetPort: 8080, appProtocol: mysql}]}}`)
	for _, c := range []badInput{
		{about: "no header", args: []string{"--header", "x-tester"},
			message: `"x-tester" is neither NAME=VALUE nor NAME~REGEXP`, hint: "write NAME=VALUE"},
		{about: "no name of a header", args: []string{"--header", "x tester=7"},
			message: `"x tester" is no name of a header`, hint: "write NAME=VALUE"},
		{about: "an invalid regular expression", args: []string{"--header", "x-tester~[7"},
			message: "error parsing regexp: missing closing ]: `[7`", hint: "NAME~REGEXP"},
		{about: "an invalid regular expression of a path", args: []string{"--path", "~("},
			message: "error parsing regexp: missing closing )", hint: "--path '~REGEXP'"},
		{about: "no path", args: []string{"--path", "api"}, message: `"api" is no path`, hint: "--path /PREFIX"},
		{about: "no method", args: []string{"--method", "PO ST"}, message: `"PO ST" is no method`,
			hint: "--method POST,PUT"},
		{about: "no key", args: []string{"--personal=a,b"}, message: `a baggage header cannot hold "a,b"`, hint: "letters"},
		{about: "an empty key", args: []string{"--personal="}, message: "--personal= names no key",
			hint: "--personal alone"},
		{about: "a rule, and no origin", args: []string{"--replace", "--personal=ann"},
			message: "with --replace there is no origin", hint: "leave one of them out"},
		{about: "a mirror, and no origin", args: []string{"--replace", "--mirror"},
			message: "with --replace there is no origin", hint: "leave one of them out"},
		{about: "a mirror that answers", args: []string{"--mirror", "--tls", "--path", "/"},
			message: "what --mirror copies is answered by the origin", hint: "leave --tls out"},
	} {
		c.code, c.args = exitUsage, append([]string{"service-middle"}, c.args...)
		n.refusesIntercept(kubeconfig(), c)
	}
	n.refusesIntercept(kubeconfig(), badInput{about: "no HTTP", args: []string{"svc/db", "--path", "/"}, code: exitUsage,
		message: "a rule is about HTTP requests, and there are none on db:3306", hint: "without --header"})
}
