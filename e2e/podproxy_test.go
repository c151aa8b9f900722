package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// way waits until the link to an agent is said to go by a way, and, unless that is the pod
// proxy, why not the other; it returns why not.
func (d *devtun) way(link string) (whyNot string) {
	d.t.Helper()
	return d.await("links by "+link, time.Minute, func(e event) bool {
		return e.Type == "agent" && e.Link == link && (link == "proxy" || e.WhyNot != "")
	}).WhyNot
}

// TestInterceptGoesByThePodProxy: status says so, and requests come that way.
//
//e2e:alone
func TestInterceptGoesByThePodProxy(t *testing.T) {
	n := newNamespace(t).chain()
	local := newLocalProcess(t)
	local.start()
	d := n.intercept("--no-forward", "--port", local.port(), "--link", "proxy")
	d.way("proxy")
	n.answeredBy(developerSays)
	out, complaint, code := ended(t, backTimeout, "status")
	require.Zero(t, code, complaint)
	require.Regexp(t, `(?m)^deployment/service-middle +standing +divert +2 +proxy `, out)
}
