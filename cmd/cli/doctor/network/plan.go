package network

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/cmd/cli/agents"
	"github.com/devtun/devtun/cmd/cli/image"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/probe"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/intercept/wire"
)

// makePlan says where probes are to be, and computes their plan.
func (r *run) makePlan(ctx context.Context, token string) error {
	r.nodes = choose(r.read.nodes, r.read.services, "amd64")
	o := target.Options{Owner: agents.ThisOwner(), Identity: rand.Text(), Version: wire.Version}
	probes := target.Probes{Namespace: r.Namespace, Hosts: r.nodes.hosts, Count: max(r.nodes.count, 1),
		Config: probe.Config{Port: port, PeerPort: peerPort, Token: token}}
	named := image.Reference(r.Image, os.Getenv)
	if named == "" {
		if probes.Like = r.like(); probes.Like == nil {
			return fmt.Errorf("no pod runs in namespace %s in whose image probes could run: give --agent-image", r.Namespace)
		}
	}
	if _, err := agents.SetProgram(ctx, &o, named, r.nodes.architecture); err != nil {
		return err
	}
	var err error
	r.plan, err = target.PlanProbes(probes, o)
	return err
}

// like is a pod in whose image probes can run: one of the Service's, or else any.
func (r *run) like() *corev1.Pod {
	var found *corev1.Pod
	for i := range r.read.pods {
		p := &r.read.pods[i]
		if p.Status.Phase != corev1.PodRunning || p.DeletionTimestamp != nil || p.Labels[plan.AgentLabel] != "" {
			continue
		}
		behind := func(s Service) bool {
			return s.Namespace == p.Namespace && slices.ContainsFunc(s.Endpoints,
				func(e Endpoint) bool { return e.Pod == p.Name })
		}
		if slices.ContainsFunc(r.read.services, behind) {
			return p
		}
		if found == nil {
			found = p
		}
	}
	return found
}
