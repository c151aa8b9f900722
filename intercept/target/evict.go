package target

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/intercept/owner"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/internal/pause"
)

const (
	// budgetTimeout bounds how long a disruption budget may keep a pod.
	budgetTimeout = 30 * time.Second

	// replacementTimeout bounds how long an evicted pod's replacement may take to
	// be ready, and the evicted pods to be gone.
	replacementTimeout = 2 * time.Minute

	// podsEvery is how often the pods are looked at, and the least time between two
	// attempts to evict one.
	podsEvery = 500 * time.Millisecond

	// endTimeout bounds the wait for pods to end: what they have by default for it, and a
	// little.
	endTimeout = 40 * time.Second
)

const noMoving = "connections that clients keep open to it stay with the workload until they reconnect"

// Why connections that clients hold stay with the origin.
const (
	Protected   Reason = "Protected"   // by a disruption budget
	NoSuccessor Reason = "NoSuccessor" // the evicted pod's replacement does not get ready
	Unevictable Reason = "Unevictable" // another refusal
)

// Move says what becomes of connections that clients keep open to the workload's pods
// when an intercept begins.
type Move string

const (
	Stay  Move = ""      // they stay there until their client makes a new one
	Evict Move = "evict" // the pods are evicted, where nobody is hurt by that
	Force Move = "force" // the pods are evicted
)

// movable refuses to evict pods where that would hurt.
func (t *Target) movable(move Move) error {
	if move != Stay && !t.Workload.remade() {
		return refuse(NotMoved, t.Workload.Object, "leave --move-connections out",
			"has pods that nobody makes anew: to move connections they would be evicted, and be gone for good")
	}
	if move != Evict {
		return nil
	}
	const hint = "leave --move-connections out, or give --move-connections=force if nothing is lost with the pod"
	if t.Workload.Kind == statefulSet {
		return refuse(NotMoved, t.Workload.Object, hint,
			"has pods with names and data of their own: to move connections they would be evicted")
	}
	if t.Workload.Ready < 2 {
		return refuse(NotMoved, t.Workload.Object, hint,
			"has %d ready pods: to move connections they would be evicted, and until another is ready nobody could answer",
			t.Workload.Ready)
	}
	return nil
}

// Stayed says what was not evicted, and why: a pod, or the workload whose pods
// they are.
type Stayed struct {
	Reason Reason
	Note
}

// eviction is one run of Evict.
type eviction struct {
	*Target
	client   kubernetes.Interface
	selector string
	ready    int                // pods, to begin with
	gone     map[types.UID]bool // pods, or about to be
	timeout  time.Duration      // with a budget
}

// Evict moves the connections that clients hold to the origin's pods from before
// the swap, by having those pods replaced: one at a time, each only when the local
// process answers, which answers waits for, and the last one's replacement is ready,
// and as disruption budgets allow. It is to be called once the swap is done, and only
// if the user has asked for it. evicted, unless nil, is told of each pod. In the end
// the evicted pods are gone, with all their connections.
//
// Where that cannot be, the connections stay with the origin until they end.
// The error is of a request that failed otherwise, or ctx's.
func (t *Target) Evict(ctx context.Context, client kubernetes.Interface, answers func(context.Context) error,
	evicted func(pod string)) ([]Stayed, error) {
	e := &eviction{Target: t, client: client, selector: metav1.FormatLabelSelector(t.Workload.Selector),
		timeout: budgetTimeout, gone: make(map[types.UID]bool)}
	if err := answers(ctx); err != nil {
		return nil, err
	}
	before, err := e.pods(ctx)
	if err != nil {
		return nil, err
	}
	e.ready = e.countReady(before)
	before = slices.DeleteFunc(before, func(pod corev1.Pod) bool { return !t.Workload.has(&pod) })
	var stayed []Stayed
	for _, pod := range before {
		if err := answers(ctx); err != nil {
			return stayed, err
		}
		left, err := e.evict(ctx, &pod)
		if err != nil {
			return stayed, err
		}
		if left == nil {
			e.gone[pod.UID] = true
			if evicted != nil {
				evicted(pod.Name)
			}
			if left, err = e.replaced(ctx); ctx.Err() != nil {
				return stayed, errors.Join(err, e.answerable(ctx))
			}
		}
		if err != nil {
			return stayed, err
		}
		if left != nil {
			stayed = append(stayed, *left)
			if left.Reason == NoSuccessor {
				break // it would be worse with the others
			}
		}
	}
	_, err = e.await(ctx, func(pods []corev1.Pod) bool {
		return !slices.ContainsFunc(pods, func(pod corev1.Pod) bool { return e.gone[pod.UID] })
	})
	return stayed, err
}

// pods are the workload's that run.
func (e *eviction) pods(ctx context.Context) ([]corev1.Pod, error) {
	return runningPods(ctx, e.client, e.Namespace, e.selector)
}

// runningPods are those that a selector chooses and that have not ended.
func runningPods(ctx context.Context, client kubernetes.Interface, namespace, selector string) ([]corev1.Pod, error) {
	all, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("list the workload's pods: %w", err)
	}
	return slices.DeleteFunc(all.Items, func(pod corev1.Pod) bool {
		return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	}), nil
}

// countReady counts the pods that take connections, and will.
func (e *eviction) countReady(pods []corev1.Pod) (n int) {
	for _, pod := range pods {
		if !e.gone[pod.UID] && pod.DeletionTimestamp == nil && owner.Ready(&pod) {
			n++
		}
	}
	return n
}

// evict evicts one pod, unless it goes anyway. It says why it did not.
func (e *eviction) evict(ctx context.Context, pod *corev1.Pod) (*Stayed, error) {
	object := plan.Object{Kind: "Pod", Name: pod.Name}
	if pod.DeletionTimestamp != nil {
		return nil, nil
	}
	for began := time.Now(); ; {
		err := e.client.CoreV1().Pods(e.Namespace).EvictV1(ctx, &policyv1.Eviction{
			ObjectMeta:    metav1.ObjectMeta{Name: pod.Name, Namespace: e.Namespace},
			DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}},
		})
		switch {
		case err == nil, apierrors.IsNotFound(err), apierrors.IsConflict(err): // gone, or another of its name
			return nil, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("evict %s: %w", object, ctx.Err())
		case !apierrors.IsTooManyRequests(err):
			return &Stayed{Unevictable,
				Note{object, fmt.Sprintf("%s cannot be evicted (%v): %s", object, err, noMoving), ""}}, nil
		case time.Since(began) >= e.timeout:
			e.timeout = 0 // one try for each of the others
			return &Stayed{Protected,
				Note{object, fmt.Sprintf("%s may not be evicted now (%v): %s", object, err, noMoving), ""}}, nil
		}
		again := podsEvery
		if seconds, asked := apierrors.SuggestsClientDelay(err); asked {
			again = max(again, min(time.Duration(seconds)*time.Second, e.timeout/4))
		}
		if err := pause.Sleep(ctx, again); err != nil {
			return nil, fmt.Errorf("evict %s: %w", object, err)
		}
	}
}

// replaced waits until as many pods are ready as were to begin with.
func (e *eviction) replaced(ctx context.Context) (*Stayed, error) {
	in, err := e.await(ctx, func(pods []corev1.Pod) bool { return e.countReady(pods) >= e.ready })
	if in || err != nil {
		return nil, err
	}
	return &Stayed{NoSuccessor,
		Note{e.Workload.Object,
			fmt.Sprintf("the pod in place of the one evicted of %s is not ready after %v: the others stay, and so do the "+
				"connections that clients hold to them",
				e.Workload, replacementTimeout), ""}}, nil
}

// answerable waits, though nobody wants to any more, until a pod is ready: what comes
// next is the restore, and somebody has to answer then.
func (e *eviction) answerable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), replacementTimeout)
	defer cancel()
	_, err := e.await(ctx, func(pods []corev1.Pod) bool { return e.countReady(pods) > 0 })
	return err
}

// await looks at the pods until they are as wanted; false if that takes too long.
func (e *eviction) await(ctx context.Context, wanted func([]corev1.Pod) bool) (bool, error) {
	for began := time.Now(); time.Since(began) < replacementTimeout; {
		pods, err := e.pods(ctx)
		if err != nil {
			return false, err
		}
		if wanted(pods) {
			return true, nil
		}
		if err := pause.Sleep(ctx, podsEvery); err != nil {
			return false, fmt.Errorf("wait for the workload's pods: %w", err)
		}
	}
	return false, nil
}

// AwaitEnd waits, once the workload is scaled to zero, until its pods have ended. waiting
// is told how many are left, when that changes. It returns how many have not ended in
// endTimeout.
func (t *Target) AwaitEnd(ctx context.Context, client kubernetes.Interface,
	waiting func(left int)) (left int, err error) {
	for began, told := time.Now(), 0; ; {
		pods, err := t.ownPods(ctx, client)
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

// ownPods are those of the workload's that run, without the agents.
func (t *Target) ownPods(ctx context.Context, client kubernetes.Interface) ([]corev1.Pod, error) {
	own := metav1.FormatLabelSelector(t.Workload.Selector) + ",!" + plan.AgentLabel
	pods, err := runningPods(ctx, client, t.Namespace, own)
	return slices.DeleteFunc(pods, func(pod corev1.Pod) bool { return !t.Workload.has(&pod) }), err
}

// PodNames are those of the workload's own pods that run.
func (t *Target) PodNames(ctx context.Context, client kubernetes.Interface) (names []string, err error) {
	pods, err := t.ownPods(ctx, client)
	for _, pod := range pods {
		names = append(names, pod.Name)
	}
	return names, err
}
