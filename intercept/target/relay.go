package target

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/intercept/plan"
)

// Relay says what a namespace's relay is to be like.
type Relay struct {
	Namespace string
	// Like is a pod in whose first container's image the agent's program can run, whose
	// secrets it is pulled with, and whose tolerations the relay has; nil with Options.Image.
	Like *corev1.Pod
	// Circumstances are those of LookForRelay; nil is none.
	Circumstances *Circumstances
	// NoPolicies leaves network policies out, for users who may not make any: what others
	// restrict is not reached then.
	NoPolicies bool
}

// PlanRelay computes the plan of a relay. Of the options it takes those about the agent's
// program, and Identity, Owner, Version, Replicas and Grace. It sends nothing.
func PlanRelay(r Relay, o Options) (*plan.Plan, error) {
	o.Mode, o.NoRestore = plan.Relay, false
	w := workloadLike(r.Like, plan.Object{Kind: deployment, Name: plan.RelayName}, "relay")
	var c Circumstances
	if r.Circumstances != nil {
		c = *r.Circumstances
	}
	if r.NoPolicies {
		c.policies = nil
	}
	c.pullSecrets = w.Template.Spec.ImagePullSecrets
	return (&Target{Namespace: r.Namespace, Workload: w}).Plan(&c, o)
}

// LookForRelay finds what has a say where a relay is to stand. What may not be listed is
// left out and noted.
func LookForRelay(ctx context.Context, client kubernetes.Interface, namespace string) (*Circumstances, error) {
	c := new(Circumstances)
	list := &listing{c, namespace}
	policies, err := client.NetworkingV1().NetworkPolicies(namespace).List(ctx, metav1.ListOptions{})
	if err := list.failed("network policies", err); err != nil {
		return nil, err
	}
	c.policies = itemsOf(policies,
		func(l *networkingv1.NetworkPolicyList) []networkingv1.NetworkPolicy { return l.Items }, err)
	if slices.ContainsFunc(c.policies, func(p networkingv1.NetworkPolicy) bool {
		return Restricts(p.Spec, networkingv1.PolicyTypeEgress)
	}) {
		c.basics = wellKnownPorts(ctx, client)
	}
	return c, c.lookAtLimits(ctx, client, list)
}

// relayPolicies let the relay to the namespace's pods where policies restrict that, as a
// port-forward is let there. To what is elsewhere they let it no more than the namespace's
// pods are let. Their names begin with prefix; restricted says that what comes in to the agents
// is.
func (b *builder) relayPolicies(prefix string) (companions []runtime.Object, restricted bool) {
	var in, out bool
	for _, p := range b.circumstances.policies {
		itself := b.matchesAgent(&p.Spec.PodSelector)
		out = out || itself && Restricts(p.Spec, networkingv1.PolicyTypeEgress)
		if Restricts(p.Spec, networkingv1.PolicyTypeIngress) {
			in = in || itself
			companions = append(companions, b.policy(prefix+"to-"+p.Name, networkingv1.NetworkPolicySpec{
				PodSelector: p.Spec.PodSelector,
				PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
				Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: b.onlyAgent()}},
			}))
		}
	}
	if out {
		companions = append(companions, b.policy(prefix+"out", b.leavingTo(new(metav1.LabelSelector))))
	}
	return companions, in
}

// relays reports that the agents connect for sessions.
func (b *builder) relays() bool {
	return b.Mode == plan.Relay || b.Options.Relay && !b.NoRestore && b.Mode != plan.HandOver
}

// RelayReads are what a relay has to read, to know what it may connect to. To grant it that
// one has to have it.
func RelayReads() []Right {
	return []Right{
		{Verb: "list", Resource: "pods"},
		{Verb: "list", Resource: "services"},
		{Verb: "list", Group: discovery, Resource: "endpointslices"},
	}
}

// RelayRights are all that a relay needs in a namespace: what a Role for it has to grant.
// Without the right to give the agent its own there is none: it could not tell what it may
// connect to.
func RelayRights() []Right {
	return slices.Concat(standing, RelayReads(), []Right{
		{Verb: "list", Group: networking, Resource: "networkpolicies", Without: notSeen},
		{Verb: "list", Resource: "resourcequotas", Without: notSeen},
		{Verb: "list", Resource: "limitranges", Without: notSeen},
		{Verb: "get", Resource: "configmaps"},
		{Verb: "create", Resource: "configmaps"},
		{Verb: "patch", Resource: "configmaps"},
		{Verb: "delete", Resource: "configmaps"},
		{Verb: "list", Resource: "configmaps", Without: noRemaking},
		{Verb: "watch", Resource: "configmaps", Without: noRemaking},
		{Verb: "list", Group: apps, Resource: "deployments", Without: noRemaking},
		{Verb: "create", Group: apps, Resource: "deployments"},
		{Verb: "watch", Group: apps, Resource: "deployments", Without: noRemaking},
		{Verb: "create", Resource: "serviceaccounts"},
		{Verb: "get", Resource: "serviceaccounts"},
		{Verb: "delete", Resource: "serviceaccounts"},
		{Verb: "create", Group: rbac, Resource: "roles"},
		{Verb: "create", Group: rbac, Resource: "rolebindings"},
		{Verb: "create", Group: networking, Resource: "networkpolicies",
			Without: "pods that network policies restrict are not reached"},
	})
}
