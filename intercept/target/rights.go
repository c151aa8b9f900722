package target

import (
	"net/http"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/devtun/devtun/intercept/plan"
)

const (
	apps       = "apps"
	batch      = "batch"
	rbac       = rbacv1.GroupName
	networking = "networking.k8s.io"
	discovery  = "discovery.k8s.io"
)

// The prices of optional rights.
const (
	noSelfRestore = "the agent cannot restore by itself"
	noClaims      = "the agent cannot restore by itself, and you cannot leave before those who join you"
	noEnding      = "who joins an intercept while it is restored may be cut off"
	noNotice      = "whether somebody else changes the workload is seen only in the end"
	notSeen       = "what it would tell is not known"
	noOrphans     = "an intercept whose plan somebody has deleted is not found"
	noRemaking    = "what somebody deletes of the intercept's own is not made again at once"
	noSharing     = "an intercept beside others of this devtun fails: they share the agent's program"
)

// reading is what is needed to find a target and its circumstances.
var reading = []Right{
	{Verb: "list", Resource: "services"},
	{Verb: "list", Resource: "configmaps"},
	{Verb: "list", Group: apps, Resource: "deployments"},
	{Verb: "list", Group: apps, Resource: "statefulsets"},
	{Verb: "list", Group: apps, Resource: "replicasets", Without: notSeen},
	{Verb: "list", Group: apps, Resource: "daemonsets", Without: notSeen},
	{Verb: "list", Group: "autoscaling", Resource: "horizontalpodautoscalers", Without: notSeen},
	{Verb: "list", Group: "policy", Resource: "poddisruptionbudgets", Without: notSeen},
	{Verb: "list", Group: networking, Resource: "networkpolicies", Without: notSeen},
	{Verb: "list", Resource: "resourcequotas", Without: notSeen},
	{Verb: "list", Resource: "limitranges", Without: notSeen},
}

// standing is what is needed to have an agent, speak to it and see what becomes of
// it and of what was changed.
var standing = []Right{
	{Verb: "get", Group: apps, Resource: "deployments"},
	{Verb: "list", Resource: "pods"},
	{Verb: "watch", Resource: "pods"},
	{Verb: "list", Resource: "events", Without: "why an agent does not start is not known"},
	{Verb: "create", Resource: "pods", Subresource: "portforward"},
	linking,
}

// linking is what links through the pod proxy take. The agents' pods have no names that are
// known before.
var linking = Right{Verb: "get", Resource: "pods", Subresource: "proxy",
	Without: "links go through the kubelet, which is slower"}

// IsLinking reports that a right is the one by which links go through the pod proxy.
func (r Right) IsLinking() bool {
	return r.Resource == linking.Resource && r.Subresource == linking.Subresource
}

// Rights are all that an intercept of a mode needs in a namespace, whatever it
// intercepts there: what a Role for it has to grant. None is ever needed beyond
// the namespace.
func Rights(mode plan.Mode) []Right {
	all := slices.Concat(reading, standing, []Right{
		{Verb: "get", Resource: "configmaps"},
		{Verb: "create", Resource: "configmaps"},
		{Verb: "patch", Resource: "configmaps", Without: noClaims},
		{Verb: "delete", Resource: "configmaps"},
		{Verb: "watch", Resource: "configmaps", Without: noRemaking},
		{Verb: "create", Group: apps, Resource: "deployments"},
		{Verb: "watch", Group: apps, Resource: "deployments", Without: noRemaking},
		{Verb: "create", Resource: "serviceaccounts", Without: noSelfRestore},
		{Verb: "get", Resource: "serviceaccounts", Without: noSelfRestore},
		{Verb: "delete", Resource: "serviceaccounts", Without: noSelfRestore},
		{Verb: "create", Group: rbac, Resource: "roles", Without: noSelfRestore},
		{Verb: "create", Group: rbac, Resource: "rolebindings", Without: noSelfRestore},
		{Verb: "create", Group: networking, Resource: "networkpolicies",
			Without: "workloads that network policies restrict cannot be intercepted"},
	})
	if mode == plan.Replace {
		for _, resource := range scaled {
			all = append(all, Right{Verb: "watch", Group: apps, Resource: resource, Without: noNotice})
		}
		return append(all, scaling()...)
	}
	return append(all,
		Right{Verb: "get", Resource: "services"},
		Right{Verb: "watch", Resource: "services"},
		Right{Verb: "create", Resource: "services"},
		Right{Verb: "patch", Resource: "services"},
	)
}

// Moving is what moving connections needs beside.
func Moving() []Right { return []Right{{Verb: "create", Resource: "pods", Subresource: "eviction"}} }

// ListRights are what listing needs in a namespace: to find the intercepts, to see
// whether they stand, and to ask their agents.
func ListRights() []Right {
	return append([]Right{
		{Verb: "list", Resource: "configmaps"},
		{Verb: "list", Resource: "pods"},
		{Verb: "create", Resource: "pods", Subresource: "portforward"},
	}, orphanRights()...)
}

// DoctorRights are what devtun doctor looks at in a namespace, beside what forwarding needs.
// It does without each of them, and says then what it has not looked at.
func DoctorRights() (all []Right) {
	for _, right := range slices.Concat(reading, ListRights(), []Right{
		{Verb: "list", Resource: "events"},
		{Verb: "get", Resource: "pods", Subresource: "log"},
	}) {
		right.Without = notSeen
		if !slices.Contains(all, right) {
			all = append(all, right)
		}
	}
	return all
}

// orphanRights is what it takes to find what carries the undo of an intercept without a
// plan.
func orphanRights() []Right {
	all := []Right{{Verb: "list", Resource: "services", Without: noOrphans}}
	for _, resource := range scaled {
		all = append(all, Right{Verb: "list", Group: apps, Resource: resource, Without: noOrphans})
	}
	return append(all, Right{Verb: "get", Resource: "serviceaccounts", Without: noOrphans})
}

// RestoreRights are what restoring needs in a namespace.
func RestoreRights() []Right {
	return slices.Concat([]Right{
		{Verb: "list", Resource: "configmaps"}, {Verb: "get", Resource: "configmaps"},
		{Verb: "patch", Resource: "configmaps", Without: noEnding},
		{Verb: "delete", Resource: "configmaps"},
		{Verb: "get", Resource: "services"}, {Verb: "patch", Resource: "services"},
	}, scaling(), removing, orphanRights())
}

// removing is what it takes to remove what an intercept has made: its root.
var removing = []Right{
	{Verb: "get", Resource: "serviceaccounts"}, {Verb: "delete", Resource: "serviceaccounts"},
	{Verb: "get", Group: apps, Resource: "deployments"}, {Verb: "delete", Group: apps, Resource: "deployments"},
}

// scaled are the resources that can be scaled.
var scaled = []string{resources[deployment], resources[statefulSet], resources[replicaSet]}

func scaling() []Right {
	var all []Right
	for _, resource := range scaled {
		all = append(all, Right{Verb: "get", Group: apps, Resource: resource},
			Right{Verb: "patch", Group: apps, Resource: resource})
	}
	return all
}

// ScaleRights are what scaling an object of another kind by its scale takes, and bringing it
// back; a name of "" is any.
func ScaleRights(group, resource, name string) []Right {
	var all []Right
	for _, sub := range []string{"", "scale"} {
		all = append(all, Right{Verb: "get", Group: group, Resource: resource, Subresource: sub, Name: name},
			Right{Verb: "patch", Group: group, Resource: resource, Subresource: sub, Name: name})
	}
	return all
}

// RightsOf are what carrying out, holding and undoing one plan needs, by name
// where a right can be so limited. To grant the agent its rights one has to have
// them; those are among these.
func RightsOf(p *plan.Plan) []Right {
	all := slices.Clone(standing)
	stored := plan.ObjectName(p.Name)
	all = append(all,
		Right{Verb: "create", Resource: "configmaps"},
		Right{Verb: "get", Resource: "configmaps", Name: stored},
		Right{Verb: "patch", Resource: "configmaps", Name: stored, Without: noClaims},
		Right{Verb: "delete", Resource: "configmaps", Name: stored},
		Right{Verb: "watch", Resource: "configmaps", Name: stored, Without: noRemaking},
		Right{Verb: "watch", Group: apps, Resource: "deployments", Name: p.Agent, Without: noRemaking})
	for _, part := range p.Program {
		all = append(all, Right{Verb: "get", Resource: "configmaps", Name: part, Without: noSharing},
			Right{Verb: "patch", Resource: "configmaps", Name: part, Without: noSharing})
	}
	root := rightOf(p.Remove.Root)
	if root.Resource == "serviceaccounts" {
		root.Without = noSelfRestore
	}
	all = append(all, root)
	root.Verb = "get"
	all = append(all, root)
	for _, step := range p.Prepare {
		right := rightOf(step.Do)
		right.Name = ""
		if right.Group == rbac || right.Resource == "serviceaccounts" {
			right.Without = noSelfRestore
		}
		if !slices.Contains(all, right) {
			all = append(all, right)
		}
	}
	for _, step := range p.Swap {
		all = append(all, changing(step)...)
	}
	if resource := resources[p.Workload.Kind]; p.Mode == plan.Replace && resource != "" {
		all = append(all, Right{Verb: "watch", Group: apps, Resource: resource, Without: noNotice})
	}
	switch p.Mode {
	case plan.Replace:
		return all
	case plan.Relay:
		return append(all, RelayReads()...)
	}
	if p.MoveConnections {
		all = append(all, Moving()...)
	}
	return append(all, Right{Verb: "watch", Resource: "services"})
}

// changing is what a step of a swap needs, and its undo.
func changing(step plan.Step) (all []Right) {
	add := func(right Right) {
		get := right
		get.Verb = "get"
		all = append(all, get, right)
	}
	add(rightOf(step.Do))
	if step.Carrier != "" {
		add(rightOf(plan.Request{Method: http.MethodPatch, Path: step.Carrier}))
	}
	return all
}

// JoinRights are what joining, holding and leaving an intercept that stands needs, by name
// where a right can be so limited. What remains to be done of it, or to be undone by who
// leaves last, needs RightsOf its plan.
func JoinRights(p *plan.Plan) []Right {
	stored := plan.ObjectName(p.Name)
	return append(slices.Clone(standing),
		Right{Verb: "get", Resource: "configmaps", Name: stored},
		Right{Verb: "patch", Resource: "configmaps", Name: stored})
}

// rightOf is what a request needs.
func rightOf(request plan.Request) Right {
	path, _, _ := strings.Cut(request.Path, "?")
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	verbs := map[string]string{
		http.MethodPost: "create", http.MethodPatch: "patch", http.MethodDelete: "delete", http.MethodGet: "get",
	}
	right := Right{Verb: verbs[request.Method]}
	if parts[0] == "apis" {
		right.Group, parts = parts[1], parts[3:]
	} else {
		parts = parts[2:]
	}
	parts = parts[2:] // namespaces, its name
	right.Resource = parts[0]
	if len(parts) > 1 {
		right.Name = parts[1]
	}
	if len(parts) > 2 {
		right.Subresource = parts[2]
	}
	return right
}

// undoRights are what undoing the builder's plan needs, and no more: the agent's.
func (b *builder) undoRights() []Right {
	own := plan.ObjectName(b.Name())
	rights := []Right{
		{Verb: "get", Resource: "configmaps", Name: own}, {Verb: "delete", Resource: "configmaps", Name: own},
		{Verb: "patch", Resource: "configmaps", Name: own}, // to end the claim of who is gone
		{Verb: "get", Resource: "serviceaccounts", Name: own}, {Verb: "delete", Resource: "serviceaccounts", Name: own},
		{Verb: "get", Group: apps, Resource: "deployments", Name: own}, // is it there for good?
	}
	for _, step := range b.swapped {
		rights = append(rights, changing(step)...)
	}
	if b.relays() {
		rights = append(rights, RelayReads()...)
	}
	return rights
}
