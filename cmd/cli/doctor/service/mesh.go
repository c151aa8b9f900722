package service

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
)

const (
	istio   = "istio-proxy"
	linkerd = "linkerd-proxy"
	// linkerdPolicy is the annotation of a pod or a namespace by which linkerd's proxy knows whom to
	// let in.
	linkerdPolicy = "config.linkerd.io/default-inbound-policy"
)

// open are linkerd's policies that let others in than pods of the mesh; "" is one of them.
var open = []string{"", "all-unauthenticated", "cluster-unauthenticated"}

// meshed says whether a mesh's proxy stands before the pods, and what that means for devtun: a
// port-forward comes to the process on the pod's loopback, behind the proxy, while an
// intercept's agents are pods without one.
func (s *subject) meshed() []check.Result {
	switch {
	case s.has(istio) && s.seen.strict != "":
		return []check.Result{because(
			warning("mesh", "Istio lets only pods of the mesh to Service %q's pods; devtun's agents are not in it",
				s.service.Name),
			"a port-forward works, and so does an intercept of what the mesh's pods send; what its agents pass on to the "+
				"cluster is refused: permit it by a PeerAuthentication with mode PERMISSIVE, or intercept with --replace",
			"PeerAuthentication "+s.seen.strict+" is STRICT")}
	case s.has(istio):
		return []check.Result{ok("mesh", "the pods have Istio's sidecar: a port-forward passes it by")}
	case s.has(linkerd) && !slices.Contains(open, s.inboundPolicy()):
		return []check.Result{because(
			warning("mesh", "linkerd lets only pods of the mesh to Service %q's pods; devtun's agents are not in it",
				s.service.Name),
			"a port-forward works; what an intercept's agents pass on to the cluster is refused: use all-unauthenticated, or "+
				"intercept with --replace", linkerdPolicy+" is "+s.inboundPolicy())}
	case s.has(linkerd):
		return []check.Result{ok("mesh", "the pods have linkerd's sidecar: a port-forward passes it by")}
	}
	return nil
}

// has reports that a pod has a container of that name, or one that is started before all others
// and stays.
func (s *subject) has(container string) bool {
	named := func(c corev1.Container) bool { return c.Name == container }
	return slices.ContainsFunc(s.pods, func(pod *corev1.Pod) bool {
		return slices.ContainsFunc(pod.Spec.Containers, named) || slices.ContainsFunc(pod.Spec.InitContainers, named)
	})
}

// inboundPolicy is linkerd's for the pods, "" for its default.
func (s *subject) inboundPolicy() string {
	if of, ok := s.pods[0].Annotations[linkerdPolicy]; ok {
		return of
	}
	return s.marks.annotations[linkerdPolicy]
}
