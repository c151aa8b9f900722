package carry_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/carry"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/tunnel/discovery"
	"github.com/devtun/devtun/tunnel/proxy"
)

func TestParse(t *testing.T) {
	all, err := carry.Parse([]string{"baggage: devtun=ann", "X-Tester:7", "baggage: tenant=x,y=1", "X-Tester: 7"})
	require.NoError(t, err)
	require.Equal(t, []proxy.Carried{
		{Name: "baggage", Value: "devtun=ann", List: true}, {Name: "X-Tester", Value: "7"},
		{Name: "baggage", Value: "tenant=x,y=1", List: true},
	}, all)
	for text, fault := range map[string]string{
		"x-tester":             `"x-tester" is not NAME: VALUE`,
		"x-tester=7":           `"x-tester=7" is not NAME: VALUE`,
		"x tester: 7":          `"x tester" is not a header name`,
		": 7":                  `"" is not a header name`,
		"x-tester: ":           "header x-tester has no value",
		"x-tester: a\r\nb: c":  `"a\r\nb: c" is not a header value`,
		"Content-Length: 7":    "header Content-Length is the connection's own, and cannot be set",
		"transfer-encoding: x": "header transfer-encoding is the connection's own, and cannot be set",
	} {
		_, err := carry.Parse([]string{text})
		require.EqualError(t, err, fault, text)
	}
	_, err = carry.Parse([]string{"x: 1", "X: 2"})
	require.EqualError(t, err, "header x is given two values")
}

// ruleOf is a rule with headers as --header has them.
func ruleOf(t *testing.T, headers ...string) (rule claim.Rule) {
	t.Helper()
	for _, text := range headers {
		header, err := claim.ParseHeader(text)
		require.NoError(t, err)
		rule.Headers = append(rule.Headers, header)
	}
	return rule
}

func TestOf(t *testing.T) {
	rule := ruleOf(t, "x-tester=7", "baggage~devtun=ann", "x-any~^a.*b$", "baggage=tenant=x", "x-one~7")
	rule.Headers = append(rule.Headers, claim.Personal("bo b"))
	carried, unknown := carry.Of(rule)
	require.Equal(t, []proxy.Carried{
		{Name: "x-tester", Value: "7"}, {Name: "baggage", Value: "devtun=ann", List: true},
		{Name: "baggage", Value: "tenant=x", List: true}, {Name: "x-one", Value: "7"},
		{Name: "baggage", Value: "devtun=bo%20b", List: true},
	}, carried)
	require.Equal(t, rule.Headers[2:3], unknown)
}

// process is a local one.
type process string

func (process) Dial(context.Context) (proxy.Upstream, error) {
	return nil, errors.New("not in this test")
}

var middle = discovery.Key{Namespace: "demo", Name: "service-middle"}

func TestNothingIsDoneWhereThereIsNothingToDo(t *testing.T) {
	require.Nil(t, (*carry.Intercepts)(nil).Requests(nil, middle, 80))
	intercepts := new(carry.Intercepts)
	require.Nil(t, intercepts.Requests(nil, middle, 80))
	i, _ := intercepts.Begin(nil)
	require.NoError(t, i.Stands(claim.Claim{}, []carry.Here{{Service: middle, Port: 81, To: process("middle")}}))
	require.Nil(t, intercepts.Requests(nil, middle, 80))
	require.NotNil(t, intercepts.Requests(nil, middle, 81))
	i.End()
	require.Nil(t, intercepts.Requests(nil, middle, 81))
}

func TestHeadersOfSeveral(t *testing.T) {
	personal := func(key string) proxy.Carried {
		return proxy.Carried{Name: "baggage", Value: "devtun=" + key, List: true}
	}
	tester := func(value string) proxy.Carried { return proxy.Carried{Name: "x-tester", Value: value} }
	intercepts := new(carry.Intercepts)
	carries := func(stamps ...proxy.Carried) []proxy.Carried {
		if r := intercepts.Requests(stamps, middle, 80); r != nil {
			return r.Carry
		}
		return nil
	}
	one, clashing := intercepts.Begin([]proxy.Carried{personal("ann"), tester("7")})
	require.Empty(t, clashing)
	require.Equal(t, []proxy.Carried{personal("ann"), tester("7")}, carries())
	require.Equal(t, []proxy.Carried{tester("9"), personal("ann")}, carries(tester("9")), "what was asked for stands")

	two, clashing := intercepts.Begin([]proxy.Carried{personal("ann"), tester("8")})
	require.Equal(t, []string{"x-tester"}, clashing)
	require.Equal(t, []proxy.Carried{personal("ann")}, carries())
	one.End()
	require.Equal(t, []proxy.Carried{personal("ann"), tester("8")}, carries())
	two.End()
	require.Nil(t, carries())
}

// TestHere: what matches is for the process here, once it carries the claim's header on.
func TestHere(t *testing.T) {
	listens := true
	to := func(c claim.Claim, carried []proxy.Carried, r proxy.Request) bool {
		t.Helper()
		intercepts := new(carry.Intercepts)
		i, _ := intercepts.Begin(carried)
		require.NoError(t, i.Stands(c, []carry.Here{{Service: middle, Port: 80, To: process("middle"),
			Listens: func() bool { return listens }}}))
		to, here := intercepts.Requests(nil, middle, 80).Here(&r)
		require.Equal(t, process("middle"), to)
		return here
	}
	get := func(header ...proxy.Field) proxy.Request {
		return proxy.Request{Protocol: proxy.HTTP1, Method: "GET", Target: "/api/x?y=z", Header: header}
	}
	personal := claim.Claim{Rule: claim.Rule{Headers: []claim.Header{claim.Personal("ann")}, Path: "/api/"}}
	carried, _ := carry.Of(personal.Rule)
	require.True(t, to(personal, carried, get()), "it carries the header on")
	require.True(t, to(personal, carried, get(proxy.Field{Name: "Baggage", Value: "tenant=x"})))
	require.False(t, to(personal, nil, get()), "with --no-carry")
	require.True(t, to(personal, nil, get(proxy.Field{Name: "Baggage", Value: "tenant=x,devtun=ann;p=1"})))
	require.False(t, to(personal, carried, proxy.Request{Protocol: proxy.HTTP1, Method: "GET", Target: "/"}))

	exact := claim.Claim{Rule: ruleOf(t, "x-tester=7")}
	carried, _ = carry.Of(exact.Rule)
	require.True(t, to(exact, carried, get()))
	require.False(t, to(exact, carried, get(proxy.Field{Name: "X-Tester", Value: "8"})), "it is set only if absent")

	whole := proxy.Request{Protocol: proxy.TLS}
	require.False(t, to(personal, carried, whole))
	personal.TLS = true
	require.True(t, to(personal, carried, whole))
	require.False(t, to(personal, carried, proxy.Request{Protocol: proxy.Other}))
	require.True(t, to(claim.Claim{}, nil, proxy.Request{Protocol: proxy.Other}))

	listens = false
	require.False(t, to(exact, carried, get()))
}
