package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// echoPort is a port of the tests' server that sends everything back.
const echoPort = 7000

// TestTLSGoesWhole: beside a rule to the origin, or, if asked for, to the developer.
func TestTLSGoesWhole(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	local := httptest.NewTLSServer(http.NotFoundHandler())
	defer local.Close()
	_, port, err := net.SplitHostPort(local.Listener.Addr().String())
	require.NoError(t, err)
	shake := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), loaderTimeout)
		defer cancel()
		conn, err := n.reach(ctx, "web", echoPort)
		require.NoError(t, err)
		defer conn.Close()
		return tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx)
	}
	for flag, here := range map[string]bool{"--tls=false": false, "--tls": true} {
		t.Run(flag, func(t *testing.T) {
			d := n.intercepts(kubeconfig(), "web", "--personal=ann", flag, fmt.Sprintf("--port=%s:%d", port, echoPort))
			d.await("traffic to the developer", time.Minute,
				func(e event) bool { return e.Type == "traffic" && e.Port == echoPort && e.To == "developer" })
			if err := shake(); here {
				require.NoError(t, err)
			} else { // the client hears what it has said, which is no server's word
				require.Error(t, err)
				require.NotErrorIs(t, err, context.DeadlineExceeded)
			}
			d.stop()
			n.noAgents()
		})
	}
}

// TestRulesThatCannotBe are refused before anything is made.
func TestRulesThatCannotBe(t *testing.T) {
	t.Parallel()
	n := described(t)
	n.apply(`{apiVersion: v1, kind: Service, metadata: {name: db}, spec: {selector: {app: service-middle}, ports: [{port: 3306, targetPort: 8080, appProtocol: mysql}]}}`)
	for _, c := range []badInput{
		{about: "no header", args: []string{"--header", "x-tester"},
			message: `"x-tester" is neither NAME=VALUE nor NAME~REGEXP`, hint: "write NAME=VALUE"},
		{about: "no name of a header", args: []string{"--header", "x tester=7"},
			message: `"x tester" is not a header name`, hint: "write NAME=VALUE"},
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
			message: "with --replace no pods are left", hint: "use one of them"},
		{about: "a mirror, and no origin", args: []string{"--replace", "--mirror"},
			message: "with --replace no pods are left", hint: "use one of them"},
		{about: "a mirror that answers", args: []string{"--mirror", "--tls", "--path", "/"},
			message: "what --mirror copies is answered by the cluster", hint: "leave --tls out"},
	} {
		c.code, c.args = exitUsage, append([]string{"service-middle"}, c.args...)
		n.refusesIntercept(kubeconfig(), c)
	}
	n.refusesIntercept(kubeconfig(), badInput{about: "no HTTP", args: []string{"svc/db", "--path", "/"}, code: exitUsage,
		message: "a rule matches HTTP requests, and there are none on db:3306", hint: "without --header"})
}
