package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/tunnel"
)

// nobody is a pod that no namespace has: the API server says so itself, without a kubelet.
const nobody = "devtun-doctor-asks-for-a-pod-that-is-not-there"

// upgrade is what came of one.
type upgrade struct {
	passes bool
	pod    string // that answered; "" if the API server did for one that is not there
	err    error  // why it does not pass, or why that is not known
}

// upgrades tries what port-forwards are made of, to a pod of the namespace, or where there is
// none, to one that is not there.
func (o *Options) upgrades(ctx context.Context) []check.Result {
	pod := o.anyPod(ctx)
	var spdy, webSocket upgrade
	var proxy check.Result
	var all sync.WaitGroup
	all.Go(func() { spdy = o.portForward(ctx, tunnel.SPDY, pod) })
	all.Go(func() { webSocket = o.portForward(ctx, tunnel.WebSocket, pod) })
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

// podProxy asks for an upgrade to a pod that is not there, through the pod proxy: the API
// server says so, unless something before it answers in its place.
func (o *Options) podProxy(ctx context.Context) check.Result {
	const name = "upgrade-pod-proxy"
	client, base, err := o.upgradeClient()
	if err != nil {
		return notChecked(name, err.Error())
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet,
		base+"/api/v1/namespaces/"+o.Namespace+"/pods/"+nobody+
			":80/proxy/", nil)
	if err != nil {
		return notChecked(name, err.Error())
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "devtun")
	response, err := client.RoundTrip(request)
	if err != nil {
		return unanswered(name, err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 16<<10)) // what there is of it
	var status metav1.Status
	if json.Unmarshal(body, &status) == nil && status.Kind == "Status" {
		if status.Code == http.StatusForbidden {
			return notChecked(name, "needs get pods/proxy; devtun does without")
		}
		return check.Result{Area: check.APIServer, Check: name, Status: check.OK, Message: "the API server answers to it"}
	}
	return check.Result{Area: check.APIServer, Check: name, Status: check.Warning,
		Message:  "an upgrade through the pod proxy does not pass on the way to the API server; devtun does without",
		Evidence: []string{response.Status + ": " + strings.Join(strings.Fields(string(body)), " ")}}
}

// upgradeClient speaks HTTP/1.1 to the API server, as the user.
func (o *Options) upgradeClient() (client http.RoundTripper, base string, err error) {
	config := rest.CopyConfig(o.Cluster.Config)
	config.TLSClientConfig.NextProtos = []string{"http/1.1"} // HTTP/2 has no upgrade
	settings, err := config.TransportConfig()
	if err != nil {
		return nil, "", err
	}
	o.Cluster.Login.Streams(settings)
	if client, err = transport.New(settings); err != nil {
		return nil, "", err
	}
	server, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, "", err
	}
	return client, strings.TrimSuffix(server.String(), "/"), nil
}
