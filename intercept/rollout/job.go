package rollout

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// failedCreate is the reason of a Job's event that tells of a pod that could not be made:
// its status does not.
const failedCreate = "FailedCreate"

// diagnoseJob says whether the Job's pod is refused, or its time is over.
func (w *ownerWatch) diagnoseJob(ctx context.Context) (found diagnosis, err error) {
	j, err := w.of.Client.BatchV1().Jobs(w.of.Namespace).Get(ctx, w.of.Name, metav1.GetOptions{})
	if err != nil {
		return found, err
	}
	for _, condition := range j.Status.Conditions {
		if condition.Status == corev1.ConditionTrue && condition.Reason == batchv1.JobReasonDeadlineExceeded {
			message := fmt.Sprintf("its Job had %v, and nothing came of it",
				time.Duration(*j.Spec.ActiveDeadlineSeconds)*time.Second)
			return diagnosis{failure: &AgentError{Reason: TimedOut, Message: message}}, nil
		}
	}
	if pods, _ := w.of.Pods(); len(pods) > 0 { // which tell more
		return found, nil
	}
	var latest time.Time
	for _, event := range w.eventsOf(ctx, w.of.Name) {
		if at := timeOf(event); event.Reason == failedCreate && !at.Before(latest) {
			latest, found = at, w.of.diagnoseRefusal(event.Message)
		}
	}
	return found, nil
}
