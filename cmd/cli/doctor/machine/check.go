package machine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/kube"
)

// Options is what is to be checked.
type Options struct {
	Files       []string      // that the kubeconfig is read from
	Unconnected error         // why that leads to no cluster; nil: it does
	Cluster     *kube.Cluster // nil with Unconnected
	Namespace   string
	Service     string                // that is asked about; "" for all of the namespace
	Clock       func() (Clock, error) // of the API server; nil without a cluster
	Login       func() error          // has the credential plugin run, once; nil without a cluster
	HostsFile   string                // "" for the system's

	// Etc is where the system's settings are; "" for /etc.
	Etc string
}

// Clock is what the API server's clock and certificate say.
type Clock struct {
	Offset      time.Duration // that it is ahead of this machine's
	From, Until time.Time     // its certificate is valid; zero: it has none
}

// Check asks all questions, side by side.
func Check(ctx context.Context, o Options) []check.Result {
	if o.Etc == "" {
		o.Etc = "/etc"
	}
	questions := []func(context.Context) []check.Result{
		o.kubeconfig, o.plugin, o.clock, o.proxy, o.nameOrder, o.names, o.helper, o.privateNames, o.loginShell,
	}
	answers := make([][]check.Result, len(questions))
	var all sync.WaitGroup
	for i, question := range questions {
		all.Go(func() { answers[i] = question(ctx) })
	}
	all.Wait()
	return slices.Concat(answers...)
}

func result(name string, status check.Status, message string) check.Result {
	return check.Result{Area: check.Machine, Check: name, Status: status, Message: message}
}

// errNoCluster is why what needs an API server is not checked.
var errNoCluster = errors.New("the kubeconfig leads to no API server")
