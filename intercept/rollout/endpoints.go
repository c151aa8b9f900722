package rollout

import (
	"context"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/internal/pause"
)

const (
	// endpointsTimeout is how long the cluster's controllers may take to follow a change
	// of a Service.
	endpointsTimeout = 10 * time.Second

	// endpointsInterval is how often they are looked at.
	endpointsInterval = 100 * time.Millisecond

	// proxyDelay is how much later the nodes' proxies may know what the endpoints say:
	// kube-proxy gathers changes for a second (minSyncPeriod), and then needs a moment.
	proxyDelay = 1500 * time.Millisecond
)

// AwaitEndpoints waits until Services lead to agents' pods alone and the nodes have had
// the time to know it. If that cannot be seen, or does not come to pass for a while, it
// returns all the same: the error is ctx's.
func AwaitEndpoints(ctx context.Context, client kubernetes.Interface, namespace string, services []string,
	isAgent func(pod string) bool) error {
	deadline := time.Now().Add(endpointsTimeout)
	for _, service := range services {
		for !leadsToAgents(ctx, client, namespace, service, isAgent) && time.Now().Before(deadline) {
			if err := pause.Sleep(ctx, endpointsInterval); err != nil {
				return err
			}
		}
	}
	return pause.Sleep(ctx, proxyDelay)
}

// leadsToAgents reports that a Service leads to agents alone, or that this user may not
// see where it leads.
func leadsToAgents(ctx context.Context, client kubernetes.Interface, namespace, service string,
	isAgent func(pod string) bool) bool {
	slices, err := client.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{
		LabelSelector: discoveryv1.LabelServiceName + "=" + service,
	})
	if err != nil {
		return apierrors.IsForbidden(err)
	}
	agents := 0
	for _, slice := range slices.Items {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Conditions.Ready != nil && !*endpoint.Conditions.Ready {
				continue
			}
			if endpoint.TargetRef == nil || !isAgent(endpoint.TargetRef.Name) {
				return false
			}
			agents++
		}
	}
	return agents > 0
}
