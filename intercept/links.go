package intercept

import (
	"context"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/intercept/objects"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
)

// watchPods is what knows the agent's pods.
func (s *Session) watchPods() *objects.Watcher {
	api := s.config.Client.CoreV1().Pods(s.config.Plan.Namespace)
	return &objects.Watcher{
		What:    "the agent's pods",
		List:    listing(api.List),
		Watch:   api.Watch,
		Options: metav1.ListOptions{LabelSelector: s.agent.selector},
		Failing: func(err error) {
			s.watchFailing(err)
			s.change(func() { s.podsErr = err })
		},
	}
}

// watchFailing tells that the API server does not answer as it should, or with nil
// that it does again.
func (s *Session) watchFailing(err error) {
	if err == nil {
		s.tell(Event{WatchError: &WatchErrorEvent{Message: "the API server answers again", Over: true}})
		return
	}
	s.tell(Event{WatchError: &WatchErrorEvent{Message: err.Error()}})
}

// setPods takes note of the agent's pods: new ones get a link, and links learn
// that their pod has changed.
func (s *Session) setPods(ctx context.Context, group *errgroup.Group, all objects.ByName) {
	s.change(func() {
		clear(s.agentPods)
		for name, object := range all {
			pod, ok := object.(*corev1.Pod)
			if !ok {
				continue
			}
			s.agentPods[name] = pod
			if linkable(pod) && s.links[pod.UID] == nil {
				l := newLink(s, pod)
				s.links[pod.UID] = l
				group.Go(func() error { return l.run(ctx) })
			}
		}
		for _, l := range s.links {
			pod := s.agentPods[l.pod.Name]
			wanted := pod != nil && pod.UID == l.uid && linkable(pod)
			if !wanted || pod.ResourceVersion != l.version {
				l.wanted = wanted
				if pod != nil {
					l.version = pod.ResourceVersion
				}
				wake(l.changed)
			}
		}
	})
}

// linkable: a pod that is not ready yet may already be spoken to, and one that is
// ending keeps the session it has.
func linkable(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil
}

// live are the links with a session. Call it with mu held.
func (s *Session) live() []*link {
	var live []*link
	for _, l := range s.links {
		if l.session != nil {
			live = append(live, l)
		}
	}
	return live
}

// Linked reports whether an agent is connected, and heard.
func (s *Session) Linked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard() != nil
}

// Agent waits for an agent that is connected, and returns its session: to ask for
// environment and files. It may end at any time; ask again then.
func (s *Session) Agent(ctx context.Context) (session *wire.Session, err error) {
	err = s.await(ctx, func() bool {
		session = s.heard()
		return session != nil
	})
	return session, err
}

// heard is the session of an agent that is connected and not silent; nil is none.
// Call it with mu held.
func (s *Session) heard() *wire.Session {
	for _, l := range s.live() {
		if l.session.Present() {
			return l.session
		}
	}
	return nil
}

// localChanged tells everybody whether a local process listens.
func (s *Session) localChanged(l *local, open bool) {
	s.change(func() {
		for _, link := range s.live() {
			link.session.SetPort(l.Port, open)
		}
	})
	s.tell(Event{Local: &LocalEvent{Port: l.Port, Address: l.Address, Open: open}})
}

// podOf is how the tunnel names a pod.
func podOf(pod *corev1.Pod) tunnel.Pod { return tunnel.Pod{Namespace: pod.Namespace, Name: pod.Name} }

// wake leaves a token.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
