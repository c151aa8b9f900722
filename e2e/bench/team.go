package main

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/e2e/bench/process"
)

// teamKeys are the personal keys of a team, which no request of the bench has.
var teamKeys = []string{"ann", "bo", "cy"}

// team is a standing intercept that developers share, as a contender: each wants the
// requests with a key of their own, so that the origin answers those without.
type team struct {
	*contender
	agent   *corev1.Pod // that clients dial
	members []member
}

// member is one of the developers.
type member struct {
	local *local
	child *process.Child
}

// share starts a `devtun intercept --personal=KEY` for each key, one after the other, and
// returns when all stand. The caller closes the team.
func (w *workload) share(ctx context.Context, keys []string) (*team, error) {
	t := &team{}
	for _, key := range keys {
		m, err := w.join(ctx, key)
		if err != nil {
			t.close()
			return nil, err
		}
		t.members = append(t.members, m)
	}
	agent, err := w.agent(ctx)
	if err != nil {
		t.close()
		return nil, err
	}
	t.contender, t.agent = straight(agent.Status.PodIP), agent
	t.name = devtun
	return t, nil
}

// join has one developer join, or begin.
func (w *workload) join(ctx context.Context, key string) (member, error) {
	local, err := serveLocal()
	if err != nil {
		return member{}, err
	}
	child, err := w.startIntercept(ctx, w.lab.site.Kubeconfig, local.addresses, "--personal="+key)
	if err != nil {
		local.close()
		return member{}, err
	}
	return member{local, child}, nil
}

// close has everybody leave, the last first.
func (t *team) close() {
	for _, m := range slices.Backward(t.members) {
		m.child.Close()
		m.local.close()
	}
}

// throughPipe starts a pod that carries each connection whole to the workload's: what an
// agent is to it that knows no requests.
func (w *workload) throughPipe(ctx context.Context) (*contender, error) {
	ip, err := w.lab.startPod(ctx, w.namespace, pipe, "-pipe", w.podIP)
	if err != nil {
		return nil, err
	}
	c := straight(ip)
	c.name = pipe
	return c, nil
}
