package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/tunnel"
)

// nobody is a pod that no namespace has: the API server says so itself, without a kubelet.
const nobody = "devtun-doctor-asks-for-a-pod-that-is-not-there"

// upgrade is what came of one.
type upgrade struct {
	passes bool
	pod    string // that answered; "" if the API server did for one that is not there
	silent string // a pod that did not, since its node does not
	err    error  // why it does not pass, or why that is not known
}

// upgrades tries what port-forwards are made of, to a pod of the namespace, or where there is
// none, to one that is not there.
func (o *Options) upgrades(ctx context.Context) []check.Result {
	pod := o.anyPod(ctx)
	var spdy, webSocket upgrade
	var proxy check.Result
	var all sync.WaitGroup
	all.Go(func() { spdy = o.upgrade(ctx, tunnel.SPDY, pod) })
	all.Go(func() { webSocket = o.upgrade(ctx, tunnel.WebSocket, pod) })
	all.Go(func() { proxy = o.podProxy(ctx) })
	all.Wait()
	return []check.Result{
		spdy.result("upgrade-spdy", "SPDY", "WebSocket", webSocket.passes),
		webSocket.result("upgrade-websocket", "WebSocket", "SPDY", spdy.passes), proxy,
	}
}

// anyPod is a ready pod behind a service of the namespace; one that is not there if none is
// known.
func (o *Options) anyPod(ctx context.Context) tunnel.Pod {
	pod := tunnel.Pod{Namespace: o.Namespace, Name: nobody}
	slices, err := o.Cluster.Client.DiscoveryV1().EndpointSlices(o.Namespace).List(ctx, metav1.ListOptions{Limit: 20})
	if err != nil {
		return pod
	}
	for _, slice := range slices.Items {
		for _, endpoint := range slice.Endpoints {
			to, ready := endpoint.TargetRef, endpoint.Conditions.Ready
			if to != nil && to.Kind == "Pod" && to.Namespace == o.Namespace && (ready == nil || *ready) {
				return tunnel.Pod{Namespace: to.Namespace, Name: to.Name, UID: string(to.UID)}
			}
		}
	}
	return pod
}

// upgrade tries one to a pod, and beside it to one that is not there: where the API server
// answers only that, it is the pod's node that does not answer, and not the way to the API
// server.
func (o *Options) upgrade(ctx context.Context, mode tunnel.Mode, pod tunnel.Pod) (to upgrade) {
	if pod.Name == nobody {
		return o.portForward(ctx, mode, pod)
	}
	var without upgrade
	var both sync.WaitGroup
	both.Go(func() { to = o.portForward(ctx, mode, pod) })
	both.Go(func() { without = o.portForward(ctx, mode, tunnel.Pod{Namespace: pod.Namespace, Name: nobody}) })
	both.Wait()
	var status apierrors.APIStatus
	ofNode := timedOut(to.err) || errors.As(to.err, &status) && status.Status().Code >= http.StatusInternalServerError
	if !to.passes && without.passes && ofNode {
		return upgrade{passes: true, silent: pod.Name}
	}
	return to
}

// portForward opens an API connection to a pod, and closes it.
func (o *Options) portForward(ctx context.Context, mode tunnel.Mode, pod tunnel.Pod) upgrade {
	transport, err := o.Cluster.Transport(mode)
	if err != nil {
		return upgrade{err: err}
	}
	conn, err := transport.Dial(ctx, pod)
	var status apierrors.APIStatus
	switch {
	case err == nil:
		_ = conn.Close() // nothing was sent on it
		return upgrade{passes: true, pod: pod.Name}
	case errors.As(err, &status) && (apierrors.IsNotFound(err) || apierrors.IsForbidden(err)):
		return upgrade{passes: true} // as far as can be told
	}
	return upgrade{err: err}
}

// result is that of an upgrade, given whether another passes that devtun can do with.
func (u upgrade) result(name, protocol, other string, otherPasses bool) check.Result {
	r := check.Result{Area: check.APIServer, Check: name, Status: check.OK}
	switch {
	case u.passes && u.pod != "":
		r.Message = "passes, to pod " + u.pod
	case u.passes && u.silent != "":
		r.Message = fmt.Sprintf("the API server answers to it; pod %s does not", u.silent)
	case u.passes:
		r.Message = "the API server answers to it; there was no pod to try it with"
	case timedOut(u.err) && otherPasses:
		return unanswered(name, u.err)
	case otherPasses:
		r.Status = check.Warning
		r.Message = fmt.Sprintf("an upgrade to %s does not pass on the way to the API server: devtun uses %s", protocol,
			other)
		r.Evidence = []string{oneLine(u.err)}
	default:
		r.Status = check.Fault
		r.Message = fmt.Sprintf("no port-forward passes on the way to the API server: an upgrade to %s is refused", protocol)
		r.Evidence = []string{oneLine(u.err)}
		r.Hint = "a proxy or load balancer before the API server has to let upgrades to SPDY/3.1 or WebSocket pass; " +
			"'kubectl port-forward' fails in the same way"
	}
	return r
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func (o *Options) linksKept(ctx context.Context) []string {
	if o.LinksKept == nil {
		return nil
	}
	return o.LinksKept(ctx)
}

// podProxy asks for an upgrade to a pod that is not there, through the pod proxy: the API
// server says so, unless something before it answers in its place.
func (o *Options) podProxy(ctx context.Context) check.Result {
	const (
		name   = "upgrade-pod-proxy"
		slower = "links to agents go through the kubelet, which is slower"
	)
	transport, err := o.Cluster.Transport(tunnel.Auto)
	if err != nil {
		return notChecked(name, err.Error())
	}
	conn, err := transport.DialProxy(ctx, tunnel.Pod{Namespace: o.Namespace, Name: nobody}, 80)
	var status apierrors.APIStatus
	switch {
	case err == nil:
		_ = conn.Close() // nothing was sent on it
		err = errors.New("something answers for a pod that is not there")
	case apierrors.IsForbidden(err):
		return notChecked(name, "needs get pods/proxy; without it "+slower)
	case errors.As(err, &status):
		r := check.Result{Area: check.APIServer, Check: name, Status: check.OK, Message: "the API server answers to it"}
		if kept := o.linksKept(ctx); len(kept) > 0 {
			r.Status, r.Evidence = check.Warning, kept
			r.Message = "the API server answers to it, but does not get to agents: their links go through the kubelet, " +
				"which is slower"
			r.Hint = "look whether NetworkPolicies or firewalls keep the API server from the agents' pods"
		}
		return r
	case timedOut(err):
		return unanswered(name, err)
	}
	return check.Result{Area: check.APIServer, Check: name, Status: check.Warning,
		Message:  "an upgrade through the pod proxy does not pass on the way to the API server: " + slower,
		Evidence: []string{oneLine(err)}}
}
