package target

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/devtun/devtun/intercept/plan"
)

// troupe is a workload of three pods, each of which, when evicted, is gone and
// replaced after a time.
type troupe struct {
	*fake.Clientset
	t *testing.T

	mu      sync.Mutex
	made    int
	refuse  func(pod string) error
	slow    time.Duration // until a replacement is ready
	asked   []string
	at      []time.Duration
	began   time.Time
	pending sync.WaitGroup
}

const slowness = 3 * time.Second

func newTroupe(t *testing.T) *troupe {
	tr := &troupe{Clientset: fake.NewClientset(), t: t, refuse: func(string) error { return nil }, slow: slowness,
		began: time.Now()}
	for range 3 {
		tr.join(true)
	}
	tr.PrependReactor("create", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if action.GetSubresource() != "eviction" {
			return false, nil, nil
		}
		return true, nil, tr.evict(action.(clienttesting.CreateAction).GetObject().(*policyv1.Eviction))
	})
	t.Cleanup(tr.pending.Wait)
	return tr
}

func (tr *troupe) join(ready bool) string {
	tr.made++
	name := fmt.Sprintf("web-%d", tr.made)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", UID: types.UID(name),
			Labels: map[string]string{"app": "web"}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}},
	}
	if ready {
		pod.Status.Conditions[0].Status = corev1.ConditionTrue
	}
	_, err := tr.CoreV1().Pods("shop").Create(context.Background(), pod, metav1.CreateOptions{})
	require.NoError(tr.t, err)
	return name
}

func (tr *troupe) evict(e *policyv1.Eviction) error {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.asked, tr.at = append(tr.asked, e.Name), append(tr.at, time.Since(tr.began))
	if err := tr.refuse(e.Name); err != nil {
		return err
	}
	require.EqualValues(tr.t, e.Name, *e.DeleteOptions.Preconditions.UID)
	pods := tr.CoreV1().Pods("shop")
	tr.pending.Go(func() { // not in the tracker's own call
		require.NoError(tr.t, pods.Delete(context.Background(), e.Name, metav1.DeleteOptions{}))
		name := tr.join(false)
		time.Sleep(tr.slow) // in the bubble's time
		pod, err := pods.Get(context.Background(), name, metav1.GetOptions{})
		require.NoError(tr.t, err)
		pod.Status.Conditions[0].Status = corev1.ConditionTrue
		_, err = pods.Update(context.Background(), pod, metav1.UpdateOptions{})
		require.NoError(tr.t, err)
	})
	return nil
}

func origin() *Target {
	return &Target{Namespace: "shop", Workload: &Workload{
		Object:   plan.Object{Kind: deployment, Name: "web"},
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
	}}
}

var podsResource = schema.GroupResource{Resource: "pods"}

// at has the local process answer at once.
func at(context.Context) error { return nil }

func TestEvictOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTroupe(t)
		var evicted []string
		stayed, err := origin().Evict(t.Context(), tr, at, func(pod string) { evicted = append(evicted, pod) })
		require.NoError(t, err)
		require.Empty(t, stayed)
		require.Equal(t, []string{"web-1", "web-2", "web-3"}, evicted, "those that were there, and no replacement")
		for i := range 2 {
			require.GreaterOrEqual(t, tr.at[i+1]-tr.at[i], slowness, "the replacement is ready first")
		}
	})
}

func TestEvictWithinABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTroupe(t)
		tries := 0
		tr.refuse = func(pod string) error {
			tries++
			if pod == "web-1" && tries < 4 {
				return apierrors.NewTooManyRequests("it would violate the pod's disruption budget", 1)
			}
			if pod == "web-2" || pod == "web-3" {
				return apierrors.NewTooManyRequests("it would violate the pod's disruption budget", 0)
			}
			return nil
		}
		stayed, err := origin().Evict(t.Context(), tr, at, nil)
		require.NoError(t, err)
		require.Len(t, stayed, 2)
		require.Equal(t, Protected, stayed[0].Reason)
		require.Equal(t, `Pod "web-2" may not be evicted now (it would violate the pod's disruption budget): `+noMoving,
			stayed[0].Text)
		require.Equal(t, "web-3", stayed[1].Object.Name)
		require.Equal(t, "web-3", tr.asked[len(tr.asked)-1])
		require.Equal(t, "web-2", tr.asked[len(tr.asked)-2], "once the testTimeout is gone each is tried once")
		require.Less(t, time.Since(tr.began), 2*budgetTimeout)
	})
}

// TestEvictWaitsForTheLocalProcess before each pod.
func TestEvictWaitsForTheLocalProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTroupe(t)
		asked := 0
		stayed, err := origin().Evict(t.Context(), tr, func(context.Context) error {
			if asked++; len(tr.asked) == 1 {
				return errors.New("it does not answer")
			}
			return nil
		}, nil)
		require.EqualError(t, err, "it does not answer")
		require.Empty(t, stayed)
		require.Equal(t, []string{"web-1"}, tr.asked)
		require.Equal(t, 3, asked, "first of all, and before each of the two")
	})
}

func TestEvictStopsAtABadReplacement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTroupe(t)
		tr.slow = 2 * replacementTimeout
		stayed, err := origin().Evict(t.Context(), tr, at, nil)
		require.NoError(t, err)
		require.Len(t, stayed, 1)
		require.Equal(t, NoSuccessor, stayed[0].Reason)
		require.Equal(t, []string{"web-1"}, tr.asked)
	})
}

func TestEvictPassesOverWhatGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTroupe(t)
		tr.refuse = func(pod string) error {
			switch pod {
			case "web-1":
				return apierrors.NewNotFound(podsResource, pod)
			case "web-2":
				return apierrors.NewInternalError(errors.New("more than one disruption budget"))
			}
			return nil
		}
		tr.CoreV1().Pods("shop").Delete(t.Context(), "web-1", metav1.DeleteOptions{})
		tr.join(true)
		stayed, err := origin().Evict(t.Context(), tr, at, nil)
		require.NoError(t, err)
		require.Len(t, stayed, 1)
		require.Equal(t, Unevictable, stayed[0].Reason)
	})
}

func TestEvictEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTroupe(t)
		tr.slow = time.Minute
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := origin().Evict(ctx, tr, at, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(tr.began), tr.slow, "others are ready")
	})
}

// TestEvictLeavesSomebodyToAnswer, also when it ends just after the only pod has gone.
func TestEvictLeavesSomebodyToAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTroupe(t)
		for _, others := range []string{"web-2", "web-3"} {
			require.NoError(t, tr.CoreV1().Pods("shop").Delete(t.Context(), others, metav1.DeleteOptions{}))
		}
		tr.slow = time.Minute
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := origin().Evict(ctx, tr, at, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.GreaterOrEqual(t, time.Since(tr.began), tr.slow)
	})
}
