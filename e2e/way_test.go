package e2e

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/devtun/devtun/intercept/target"
)

// way is how the connections of a forward get to pods: what it is started with, and what
// differs in what is to be expected of it.
type way struct {
	name  string
	flags []string
	// rights are those that it takes beside a forward's.
	rights []rbacv1.PolicyRule
	// halfCloses: the end of what a client sends arrives, and the answer to it, too.
	halfCloses bool
	// What ended connections are said to have ended by.
	refused, reset string
}

// portForward is the way that a forward takes by itself.
var portForward = way{name: "port-forward", refused: "refused by the pod", reset: "reset by the pod"}

// byRelay are the ways over a relay: that of its links differs.
var byRelay = []way{relayBy("portforward"), relayBy("proxy")}

func relayBy(link string) way {
	return way{
		name: "relay by " + link, flags: []string{"--relay", "--link", link}, halfCloses: true,
		rights:  target.Rules(target.RelayRights()),
		refused: portForward.refused, reset: portForward.reset,
	}
}

// start starts `devtun forward` on that way, and waits until it is ready.
func (w way) start(t *testing.T, args ...string) *devtun {
	t.Helper()
	return startForward(t, append(args, w.flags...)...)
}

// launch starts it with a kubeconfig of its own choice.
func (w way) launch(t *testing.T, kubeconfig string, args ...string) *devtun {
	t.Helper()
	return launchForward(t, kubeconfig, append(args, w.flags...)...)
}
