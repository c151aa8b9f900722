package doctor

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/devtun/devtun/cmd/cli/doctor/apiserver"
	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/doctor/machine"
	"github.com/devtun/devtun/cmd/cli/doctor/service"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/tunnel"
)

const (
	// wayTimeout bounds all that is asked of this machine and of the API server.
	wayTimeout = 3 * time.Second

	// personTimeout bounds a credential plugin that has to ask a person.
	personTimeout = time.Minute

	// serviceTimeout bounds what is asked of services after that. Of what was not needed until
	// then, it has the rest, too.
	serviceTimeout = 1700 * time.Millisecond

	// probeTimeout bounds --probe, from its first pod to the end of its last.
	probeTimeout = 17 * time.Second
)

// reached is a cluster that answers, for the areas behind the API server.
type reached struct {
	cluster   *kube.Cluster
	namespace string
	pool      *tunnel.Pool // dials pods' ports
	until     time.Time    // when the services' checks are to be over
	found     service.Found
}

// examine asks everything, and returns what is found, in the order of a byte's way. It says
// on progress what it is about.
func (o *options) examine(ctx context.Context, progress io.Writer) []check.Result {
	fmt.Fprintln(progress, "checking this machine and the API server")
	cluster, err := o.kube.Connect()
	namespace := ""
	if err == nil {
		namespace = cluster.Namespace
	}
	if len(o.kube.Namespaces) > 0 {
		namespace = o.kube.Namespaces[0]
	}
	until := time.Now().Add(wayTimeout + serviceTimeout)
	results, stop := o.examineWay(ctx, cluster, err, namespace)
	if stop != "" {
		return append(results, o.unreached(stop)...)
	}
	transport, err := cluster.Transport(tunnel.Auto)
	if err != nil { // Connect has made one like it
		return append(results, check.Result{Area: check.Service, Check: "port-forward", Status: check.NotChecked,
			Message: err.Error()})
	}
	pool := tunnel.NewPool(transport.Dial)
	defer pool.Close()
	r := &reached{cluster: cluster, namespace: namespace, pool: pool, until: later(until, time.Now().Add(serviceTimeout))}
	found := o.examineService(ctx, r, progress)
	results = append(results, found...)
	if o.headers {
		results = append(results, o.examineHeaders(ctx, r, found, progress)...)
	}
	if o.probe {
		results = append(results, o.examineNetwork(ctx, r, progress)...)
	}
	return results
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// examineWay checks this machine and the API server, side by side. stop is why what is behind
// the API server cannot be checked; "" if it can.
func (o *options) examineWay(
	ctx context.Context, cluster *kube.Cluster, unconnected error, namespace string,
) (results []check.Result, stop string) {
	// A person may take long, and nothing is checked meanwhile. Who can do without gets no time.
	kube.Logins.Silent = true
	if cluster != nil && cluster.Login.NeedsTerminal() {
		kube.Logins.Silent = false
		asking, cancel := context.WithTimeout(ctx, personTimeout)
		_ = cluster.Login.Await(asking) // whoever needs it will say so
		cancel()
	}
	ctx, cancel := context.WithTimeout(ctx, wayTimeout)
	defer cancel()
	here := machine.Options{
		Files: o.kube.Files(), Unconnected: unconnected, Cluster: cluster, Namespace: namespace,
		Service:   serviceName(o.asked),
		HostsFile: o.hostsFile,
	}
	if cluster == nil {
		stop = "the kubeconfig leads to no API server"
		return append(machine.Check(ctx, here), apiserver.NotAsked(stop)...), stop
	}
	meet := sync.OnceValue(func() *apiserver.Meeting { return apiserver.Meet(ctx, cluster.Config) })
	login := sync.OnceValue(func() error { return cluster.Login.Await(ctx) })
	here.Clock = func() (machine.Clock, error) {
		met := meet()
		return machine.Clock{Offset: met.Offset, From: met.ValidFrom, Until: met.ValidUntil}, met.NoDate()
	}
	here.Login = login
	var there []check.Result
	var both sync.WaitGroup
	both.Go(func() { results = machine.Check(ctx, here) })
	both.Go(func() {
		there, stop = apiserver.Check(ctx, apiserver.Options{
			Cluster: cluster, Namespace: namespace, Meet: meet, Login: login,
			LinksKept: func(ctx context.Context) []string { return linksKept(ctx, cluster.Context) },
		})
	})
	both.Wait()
	return slices.Concat(results, there), stop
}

// unreached is what is said of the areas that were asked for, and cannot be checked.
func (o *options) unreached(why string) (results []check.Result) {
	if o.asked != "" {
		results = append(results, check.Result{Area: check.Service, Check: "service", Status: check.NotChecked,
			Message: why})
	}
	if o.probe {
		results = append(results, check.Result{Area: check.Network, Check: "probes", Status: check.NotChecked, Message: why})
	}
	return results
}
