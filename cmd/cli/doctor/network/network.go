package network

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/devtun/devtun/cmd/cli/agents"
	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/tunnel"
)

const (
	// readTimeout bounds the reading of objects, and that of evidence.
	readTimeout = 3 * time.Second
	// makeTimeout bounds the making of the probes' Job and of what it owns.
	makeTimeout = 6 * time.Second
	// removeTimeout bounds its removal. The cluster removes it by itself, later.
	removeTimeout = 3 * time.Second
)

// Options say what is checked.
type Options struct {
	Cluster   *kube.Cluster
	Pool      *tunnel.Pool // reaches probes
	Namespace string       // where probes are made
	Service   string       // that is asked about; "" for any of the namespace
	Port      string       // of Service, its number or name; "" for its first
	Image     string       // that has the agent; "" for its program in the image of a pod of the namespace
	// Progress, unless nil, is told what is done.
	Progress func(string)
}

// run is one check of the network.
type run struct {
	Options
	read  *objects
	plan  *plan.Plan
	nodes choice
}

// Check makes probes and says what they find. What keeps it from that is a result, too.
func Check(ctx context.Context, o Options) []check.Result {
	r := &run{Options: o}
	found, err := r.probe(ctx)
	if err != nil {
		result := check.Result{Area: check.Network, Check: "probes", Status: check.NotChecked, Message: err.Error()}
		if apierrors.IsForbidden(err) {
			result.Hint = "'devtun rbac doctor-probe' prints the Role that is needed"
		}
		return []check.Result{result}
	}
	r.addEvidence(ctx, found)
	results := make([]check.Result, 0, len(found))
	for _, f := range found {
		results = append(results, f.Result)
	}
	if unread := r.read.unread; len(unread) > 0 {
		results = append(results, check.Result{Area: check.Network, Check: "probes", Status: check.NotChecked,
			Message: "less is compared, and less evidence there is: needs " + list(unread),
			Hint:    "'devtun rbac doctor-probe' prints the Role that is needed"})
	}
	return results
}

func (r *run) progress(format string, args ...any) {
	if r.Progress != nil {
		r.Progress(fmt.Sprintf(format, args...))
	}
}

// probe makes probes, asks them, removes them, and judges what they say.
func (r *run) probe(ctx context.Context) ([]finding, error) {
	reading, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var err error
	if r.read, err = read(reading, r.Cluster.Client, r.Namespace, r.Service, r.Port); err != nil {
		return nil, err
	}
	token := rand.Text()
	if err := r.makePlan(ctx, token); err != nil {
		return nil, err
	}
	if r.nodes.count == 0 {
		return judge(&Matrix{Nodes: r.nodes.nodes, Services: r.read.services, Policies: r.read.policies}), nil
	}
	client, err := r.Cluster.PlanClient()
	if err != nil {
		return nil, err
	}
	executor := plan.NewExecutor(client, r.plan, claim.Claim{})
	executor.Program = agents.ProgramPart
	defer r.remove(ctx, executor)
	r.progress("making probes on up to %d nodes, by %s", r.nodes.count, r.plan.Root)
	making, cancel := context.WithTimeout(ctx, makeTimeout)
	defer cancel()
	if err := executor.Prepare(making); err != nil {
		return nil, fmt.Errorf("make probes: %w", err)
	}
	return r.ask(ctx, &probes{client: r.Cluster.Client, pool: r.Pool, namespace: r.Namespace, id: r.plan.Agent})
}

// remove deletes the Job, and with it, a little later, all that it owns.
func (r *run) remove(ctx context.Context, executor *plan.Executor) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	if err := executor.Remove(ctx); err != nil {
		r.progress("%s could not be deleted: %v; the cluster removes it by itself, in a minute", r.plan.Root, err)
	}
}

// ask waits for the probes, asks them twice what is doubtful, and judges.
func (r *run) ask(ctx context.Context, p *probes) ([]finding, error) {
	r.progress("waiting for probes")
	pods, err := p.await(ctx, r.nodes.count)
	if err != nil {
		return nil, fmt.Errorf("wait for probes: %w", err)
	}
	m := &Matrix{Nodes: r.nodes.nodes, Services: r.read.services, Policies: r.read.policies}
	var running []pod
	peers := make(map[string]string)
	for _, one := range pods {
		if one.running() {
			running = append(running, one)
			peers[one.node] = net.JoinHostPort(one.Status.PodIP, strconv.Itoa(peerPort))
		}
	}
	if m.Policies != nil && len(pods) > 0 {
		m.Policies.Probes = pods[0].Labels
	}
	m.missing(pods, len(r.read.nodes) > 0)
	if len(running) == 0 {
		return judge(m), nil
	}
	r.progress("asking %s", output.Count(len(running), "probe"))
	of := func(node string) asked { return questions(m.Services, node, peers) }
	views, failed := p.ask(ctx, running, of)
	m.Views = views
	for node, err := range failed {
		m.lose(node, "its probe does not answer: "+err.Error())
	}
	again, _ := p.ask(ctx, running, func(node string) asked {
		if views[node] == nil {
			return nil
		}
		return of(node).doubtful(views[node])
	})
	for node, view := range again {
		views[node].confirm(view)
	}
	return judge(m), nil
}
