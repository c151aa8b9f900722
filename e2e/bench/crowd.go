package main

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/devtun/devtun/e2e/bench/api"
	"github.com/devtun/devtun/e2e/bench/process"
)

const (
	crowdTimeout = 2 * time.Minute
	// settle is what a process that has become ready is left to itself.
	settle = 2 * time.Second
)

// crowdPorts are those of each service of a crowd.
var crowdPorts = []int{portHTTP, portEcho}

// crowd is a namespace with many services, all of the same pod.
type crowd struct {
	lab       *lab
	namespace string
	services  int
}

// gather makes a crowd and waits until every service has its endpoint.
func (l *lab) gather(ctx context.Context, services int) (*crowd, error) {
	namespace, err := l.makeNamespace(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := l.startPod(ctx, namespace, podName); err != nil {
		return nil, err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range services {
		group.Go(func() error {
			// Without addresses: there are more services than the cluster has of these.
			return l.makeServiceAt(groupCtx, corev1.ClusterIPNone, namespace, crowdService(i), crowdPorts)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	err = wait.PollUntilContextTimeout(ctx, time.Second, crowdTimeout, true, func(ctx context.Context) (bool, error) {
		slices, err := l.client.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{})
		return err == nil && reachable(slices.Items) == services, err
	})
	if err != nil {
		return nil, fmt.Errorf("wait for the endpoints of %d services: %w", services, err)
	}
	return &crowd{l, namespace, services}, nil
}

func crowdService(i int) string { return fmt.Sprintf("service-%04d", i) }

func reachable(slices []discoveryv1.EndpointSlice) int {
	n := 0
	for _, slice := range slices {
		if len(slice.Endpoints) > 0 {
			n++
		}
	}
	return n
}

// footprint measures a start of devtun for the whole crowd: seconds to ready,
// and then, unused, resident MB and API connections.
func (c *crowd) footprint(ready, memory, open *figure) trial {
	return trial{
		name:    fmt.Sprintf("start with %d services", c.services),
		figures: []*figure{ready, memory, open},
		run: func(ctx context.Context, _ *contender) ([]float64, error) {
			started, err := c.start(ctx, c.lab.site.Kubeconfig)
			if err != nil {
				return nil, err
			}
			defer started.close()
			if err := pause(ctx, settle); err != nil {
				return nil, err
			}
			resident, err := process.ResidentMemory(started.child.PID)
			if err != nil {
				return nil, err
			}
			conns := math.NaN()
			if to, ok := c.lab.site.apiAddress(); ok {
				n, err := process.Connections(started.child.PID, to)
				if err != nil {
					return nil, err
				}
				conns = float64(n)
			}
			return []float64{started.child.Ready.Seconds(), float64(resident) / mega, conns}, nil
		},
	}
}

// talk measures what devtun asks of the API server at a start: requests, and
// port-forward upgrades before the first use.
func (c *crowd) talk(requests, upgrades *figure) trial {
	return trial{
		name:    fmt.Sprintf("requests with %d services", c.services),
		figures: []*figure{requests, upgrades},
		run: func(ctx context.Context, _ *contender) (values []float64, err error) {
			counter, err := api.Count(c.lab.site.config)
			if err != nil {
				return nil, err
			}
			defer counter.Close()
			kubeconfig := filepath.Join(c.lab.dir, "counted.kubeconfig")
			if err := c.lab.site.writeKubeconfig(kubeconfig, counter.URL, false); err != nil {
				return nil, err
			}
			started, err := c.start(ctx, kubeconfig)
			if err != nil {
				return nil, err
			}
			defer started.close()
			if err := pause(ctx, settle); err != nil {
				return nil, err
			}
			values = []float64{float64(counter.Requests.Load()), float64(counter.Upgrades.Load())}
			// That there were none means something only if one is seen in use.
			if _, err := request(ctx, started); err != nil {
				return nil, err
			}
			if counter.Upgrades.Load() == 0 {
				return nil, fmt.Errorf("a connection came through without a port-forward")
			}
			return values, nil
		},
	}
}

// start starts devtun for the crowd, as a contender to its first service.
func (c *crowd) start(ctx context.Context, kubeconfig string) (*contender, error) {
	return c.lab.throughDevtun(ctx, kubeconfig, c.namespace, crowdService(0))
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
