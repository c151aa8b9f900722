package intercept

import (
	"context"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
)

// Ask asks the agents of an intercept, whoever holds it, how they stand. Those
// that do not answer before ctx ends are left out.
func Ask(ctx context.Context, client kubernetes.Interface,
	dial func(context.Context, tunnel.Pod, int) (tunnel.Conn, error), p *plan.Plan) []wire.Status {
	spec, err := specOf(p)
	if err != nil {
		return nil
	}
	pods, err := client.CoreV1().Pods(p.Namespace).List(ctx, metav1.ListOptions{LabelSelector: spec.selector})
	if err != nil {
		return nil
	}
	var mu sync.Mutex
	var statuses []wire.Status
	var asking sync.WaitGroup
	for _, pod := range pods.Items {
		if pod.DeletionTimestamp != nil {
			continue
		}
		asking.Go(func() {
			conn, err := dial(ctx, tunnel.Pod{Namespace: pod.Namespace, Name: pod.Name}, spec.linkPort)
			if err != nil {
				return
			}
			status, err := wire.End{Name: p.Name, Identity: p.Identity}.AskStatus(ctx, conn)
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			statuses = append(statuses, status)
		})
	}
	asking.Wait()
	return statuses
}
