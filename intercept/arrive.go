package intercept

import (
	"context"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/pause"
)

const (
	// arrivalBound is how long the cluster's controllers may take to follow a swap.
	arrivalBound = 10 * time.Second

	// arrivalLook is how often they are looked at.
	arrivalLook = 100 * time.Millisecond

	// proxyLag is how much later the nodes' proxies may know what the endpoints say:
	// kube-proxy gathers changes for a second (minSyncPeriod), and then needs a moment.
	proxyLag = 1500 * time.Millisecond
)

// AwaitTraffic waits, after the swap, until the Services lead to the agents alone
// and the nodes have had the time to know it. If that cannot be seen, or does not
// come to pass for a while, it returns all the same: the error is ctx's.
func (s *Session) AwaitTraffic(ctx context.Context) error {
	bound := time.Now().Add(arrivalBound)
	for _, service := range s.config.Plan.Services {
		for !s.arrived(ctx, service) && time.Now().Before(bound) {
			if err := pause.Sleep(ctx, arrivalLook); err != nil {
				return err
			}
		}
	}
	return pause.Sleep(ctx, proxyLag)
}

// arrived reports that a Service leads to the agents alone, or that this user may
// not see where it leads.
func (s *Session) arrived(ctx context.Context, service string) bool {
	slices, err := s.config.Client.DiscoveryV1().EndpointSlices(s.config.Plan.Namespace).List(ctx, metav1.ListOptions{
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
			if endpoint.TargetRef == nil || !s.isAgent(endpoint.TargetRef.Name) {
				return false
			}
			agents++
		}
	}
	return agents > 0
}

// isAgent reports that a pod is an agent of this intercept.
func (s *Session) isAgent(pod string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.seen[pod]
	return known
}
