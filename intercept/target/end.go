package target

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/internal/pause"
)

// endTimeout bounds the wait for pods to end: what they have by default for it, and a
// little.
const endTimeout = 40 * time.Second

// AwaitEnd waits, once the workload is scaled to zero, until its pods have ended. waiting
// is told how many are left, when that changes. It returns how many have not ended in
// endTimeout.
func (t *Target) AwaitEnd(ctx context.Context, client kubernetes.Interface,
	waiting func(left int)) (left int, err error) {
	own := metav1.FormatLabelSelector(t.Workload.Selector) + ",!" + plan.AgentLabel
	for began, told := time.Now(), 0; ; {
		pods, err := runningPods(ctx, client, t.Namespace, own)
		if err != nil {
			return 0, err
		}
		if len(pods) == 0 || time.Since(began) >= endTimeout {
			return len(pods), nil
		}
		if told != len(pods) {
			told = len(pods)
			waiting(told)
		}
		if err := pause.Sleep(ctx, podsEvery); err != nil {
			return 0, fmt.Errorf("wait for the pods of %s to end: %w", t.Workload, err)
		}
	}
}
