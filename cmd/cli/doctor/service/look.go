package service

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/wire"
)

// seen is what was looked at since the namespace alone does not tell.
type seen struct {
	events map[string][]string      // by the name of what they are about, the oldest first
	unread map[string]string        // likewise: why they are not read
	logs   map[logOf][]string       // the last lines of containers that have ended
	agents map[string][]wire.Status // what an intercept's agents say, by its identity
	// nobodys are addresses of endpoints that could be a pod's, and are none's.
	nobodys map[string]bool
	strict  string // the PeerAuthentication of Istio's that lets in only pods of the mesh
	answers map[dialled]error
}

// logOf names a container.
type logOf struct{ pod, container string }

// looking fills in what is seen, side by side.
type looking struct {
	Options
	*world
	mu   sync.Mutex
	work sync.WaitGroup
}

// look looks at what the subjects' checks want to know beyond the namespace; thoroughly, at
// all that there is of them, or at little of many.
func (w *world) look(ctx context.Context, o Options, subjects []*subject, thorough bool) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	w.seen = seen{events: make(map[string][]string), unread: make(map[string]string), logs: make(map[logOf][]string),
		agents: make(map[string][]wire.Status), nobodys: make(map[string]bool), answers: make(map[dialled]error)}
	l := &looking{Options: o, world: w}
	for _, s := range subjects {
		for _, pod := range s.unready() {
			l.event(ctx, pod.Name)
			l.log(ctx, pod)
		}
		for _, one := range w.workloads {
			if len(s.pods) == 0 && one.replicas > 0 && selects(s.service.Spec.Selector, one.labels) {
				l.event(ctx, one.name)
			}
		}
		if p := w.planOf(s.service); p != nil && o.Dial != nil && thorough {
			l.work.Go(func() {
				statuses := intercept.Ask(ctx, o.Client, o.Dial, p.Plan)
				l.mu.Lock()
				defer l.mu.Unlock()
				w.seen.agents[p.Identity] = statuses
			})
		}
		if thorough && len(s.service.Spec.Selector) == 0 {
			l.addresses(ctx, s)
		}
	}
	if slices.ContainsFunc(subjects, func(s *subject) bool { return s.has(istio) }) {
		l.work.Go(func() { w.seen.strict = strictMode(ctx, o.Client, w.namespace) })
	}
	for _, d := range dials(subjects, thorough) {
		l.dial(ctx, d)
	}
	l.work.Wait()
}

// event reads the events about what has a name.
func (l *looking) event(ctx context.Context, name string) {
	l.work.Go(func() {
		found, err := l.Client.CoreV1().Events(l.namespace).List(ctx,
			metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("involvedObject.name", name).String()})
		l.mu.Lock()
		defer l.mu.Unlock()
		if err != nil {
			l.seen.unread[name] = whyNot(ctx, err, "list events")
			return
		}
		slices.SortStableFunc(found.Items, func(a, b corev1.Event) int { return timeOf(a).Compare(timeOf(b)) })
		for _, e := range found.Items {
			if e.InvolvedObject.Name == name && e.Type != corev1.EventTypeNormal {
				l.seen.events[name] = append(l.seen.events[name], e.Reason+": "+oneLine(e.Message))
			}
		}
	})
}

// log reads the last lines of a pod's containers that have ended.
func (l *looking) log(ctx context.Context, pod *corev1.Pod) {
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if status.RestartCount == 0 && status.State.Terminated == nil {
			continue
		}
		l.work.Go(func() {
			text, err := l.Client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
				Container: status.Name, Previous: status.State.Terminated == nil && status.RestartCount > 0,
				TailLines: new(int64(lastLines)), LimitBytes: new(int64(logLimit))}).DoRaw(ctx)
			lines := lastOf(string(text))
			if apierrors.IsForbidden(err) {
				lines = []string{"its log is not read: needs `get pods/log`"}
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.seen.logs[logOf{pod.Name, status.Name}] = lines
		})
	}
}

// addresses finds those of a service's hand-made endpoints that only a pod could have, and none
// has.
func (l *looking) addresses(ctx context.Context, s *subject) {
	for _, e := range s.readyEndpoints() {
		for _, address := range e.Addresses {
			if !slices.ContainsFunc(l.podRanges, func(cidr string) bool { return within(cidr, address) }) {
				continue
			}
			l.work.Go(func() {
				found, err := l.Client.CoreV1().Pods(metav1.NamespaceAll).List(ctx,
					metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("status.podIP", address).String()})
				l.mu.Lock()
				defer l.mu.Unlock()
				l.seen.nobodys[address] = err == nil && !slices.ContainsFunc(found.Items,
					func(pod corev1.Pod) bool { return pod.Status.PodIP == address })
			})
		}
	}
}

// strictMode is the PeerAuthentication of the namespace, or of the mesh, that wants mutual TLS;
// "" without one that may be read.
func strictMode(ctx context.Context, client kubernetes.Interface, namespace string) string {
	for _, in := range []string{namespace, "istio-system"} {
		text, err := client.Discovery().RESTClient().Get().
			AbsPath("/apis/security.istio.io/v1/namespaces/" + in + "/peerauthentications").DoRaw(ctx)
		if err != nil {
			continue
		}
		if name, found := strictIn(text); found {
			return in + "/" + name
		}
	}
	return ""
}

// strictIn finds one in a list of PeerAuthentications that is for a whole namespace and STRICT.
func strictIn(list []byte) (name string, found bool) {
	var all struct {
		Items []struct {
			Metadata metav1.ObjectMeta `json:"metadata"`
			Spec     struct {
				Selector *metav1.LabelSelector `json:"selector"`
				MTLS     struct {
					Mode string `json:"mode"`
				} `json:"mtls"`
			} `json:"spec"`
		} `json:"items"`
	}
	if json.Unmarshal(list, &all) != nil {
		return "", false
	}
	for _, one := range all.Items {
		if one.Spec.Selector == nil && one.Spec.MTLS.Mode == "STRICT" {
			return one.Metadata.Name, true
		}
	}
	return "", false
}
