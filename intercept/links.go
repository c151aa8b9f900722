package intercept

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/intercept/objects"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/internal/pause"
	"github.com/devtun/devtun/tunnel"
)

// watchPods is what knows the agent's pods.
func (i *Intercept) watchPods() *objects.Watcher {
	api := i.config.Client.CoreV1().Pods(i.config.Plan.Namespace)
	return &objects.Watcher{
		What:    "the agent's pods",
		List:    listing(api.List),
		Watch:   api.Watch,
		Options: metav1.ListOptions{LabelSelector: i.agent.selector},
		Failing: func(err error) {
			i.watchFailing(err)
			i.change(func() { i.podsErr = err })
		},
	}
}

// watchFailing tells that the API server does not answer as it should, or with nil
// that it does again.
func (i *Intercept) watchFailing(err error) {
	if err == nil {
		i.tell(Event{WatchError: &WatchErrorEvent{Message: "the API server answers again", Over: true}})
		return
	}
	i.tell(Event{WatchError: &WatchErrorEvent{Message: err.Error()}})
}

// setPods takes note of the agent's pods: new ones get a link, and links learn
// that their pod has changed.
func (i *Intercept) setPods(ctx context.Context, group *errgroup.Group, all objects.ByName) {
	i.change(func() {
		clear(i.agentPods)
		for name, object := range all {
			pod, ok := object.(*corev1.Pod)
			if !ok {
				continue
			}
			i.agentPods[name] = pod
			if linkable(pod) && i.links[pod.UID] == nil {
				l := newAgentLink(i, pod)
				i.links[pod.UID] = l
				group.Go(func() error { return l.run(ctx) })
			}
		}
		for _, l := range i.links {
			pod := i.agentPods[l.pod.Name]
			wanted := pod != nil && pod.UID == l.uid && linkable(pod)
			if !wanted || pod.ResourceVersion != l.version {
				l.wanted = wanted
				if pod != nil {
					l.version = pod.ResourceVersion
				}
				wake(l.changed)
			}
		}
		i.setLinked()
	})
}

// linkable: a pod that is not ready yet may already be spoken to, and one that is
// ending keeps the link it has.
func linkable(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil
}

// live are the links with a link. Call it with mu held.
func (i *Intercept) live() []*agentLink {
	var live []*agentLink
	for _, l := range i.links {
		if l.link != nil {
			live = append(live, l)
		}
	}
	return live
}

// Linked reports whether an agent is connected, and heard.
func (i *Intercept) Linked() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.heard() != nil
}

// Connected is the number of agents that are connected, and heard.
func (i *Intercept) Connected() (count int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, l := range i.live() {
		if l.link.Present() {
			count++
		}
	}
	return count
}

// Changed is closed at the next change of what Linked and Connected tell, or before.
func (i *Intercept) Changed() <-chan struct{} { return i.changed.Wait() }

// Agent waits for an agent that is connected, and returns its link: to ask for
// environment and files. It may end at any time; ask again then.
func (i *Intercept) Agent(ctx context.Context) (link *wire.Link, err error) {
	err = i.await(ctx, func() bool {
		link = i.heard()
		return link != nil
	})
	return link, err
}

// heard is the link of an agent that is connected and not silent; nil is none.
// Call it with mu held.
func (i *Intercept) heard() *wire.Link {
	for _, l := range i.live() {
		if l.link.Present() {
			return l.link
		}
	}
	return nil
}

// localChanged tells everybody whether a local process listens.
func (i *Intercept) localChanged(l *local, open bool) {
	i.change(func() {
		for _, link := range i.live() {
			link.link.SetPort(l.Port, open && !i.left)
		}
	})
	i.tell(Event{Local: &LocalEvent{Port: l.Port, Address: l.Address, Open: open}})
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

// setLinked notes the links that there are, for Open: those to pods that are to stay, and then
// those to pods that end, which carry on what they carry. Call it with mu held.
func (i *Intercept) setLinked() {
	var all [2][]*wire.Link
	for _, l := range i.live() {
		at := 0
		if !l.wanted {
			at = 1
		}
		all[at] = append(all[at], l.link)
	}
	i.linked.Store(&all)
}

// ErrUnlinked says that no agent is connected and heard.
var ErrUnlinked = errors.New("no agent is connected")

// Open opens a stream to the agent with the least to do. The error is ErrUnlinked if there is no
// agent, or why the last one has not taken the stream.
func (i *Intercept) Open(ctx context.Context, opening wire.Opening) (*wire.Stream, error) {
	var tried []*wire.Link
	failed := ErrUnlinked
	for {
		link := i.leastBusy(tried)
		if link == nil {
			return nil, failed
		}
		stream, err := link.Open(ctx, opening)
		if err == nil || ctx.Err() != nil {
			return stream, err
		}
		tried, failed = append(tried, link), err
	}
}

// Took reports whether the agent has taken a stream that was lost, and if not, it never will.
// Its next link is waited for. The error is why that cannot be known: the agent is gone, or
// does not know.
func (i *Intercept) Took(ctx context.Context, at wire.Place) (bool, error) {
	for {
		var to *agentLink
		var link *wire.Link
		err := i.await(ctx, func() bool {
			if to = i.linkedBy(at.Link); to != nil {
				link = to.link
			}
			return to == nil || link != nil && link.Present()
		})
		switch {
		case err != nil:
			return false, err
		case to == nil:
			return false, ErrUnlinked
		}
		took, err := link.Took(ctx, at)
		if err == nil || errors.Is(err, wire.ErrUnknown) {
			return took, err
		}
		if err := pause.Until(ctx, link.Ended(), linkMin); err != nil { // it is about to end
			return false, err
		}
	}
}

// linkedBy finds the agent to which there was the link of that name. Call it with mu held.
func (i *Intercept) linkedBy(name string) *agentLink {
	for _, l := range i.links {
		if slices.Contains(l.linked, name) {
			return l
		}
	}
	return nil
}

// leastBusy is the link with the least to do of those that are heard, but for these, if
// possible to a pod that is to stay; nil if there is none.
func (i *Intercept) leastBusy(but []*wire.Link) (best *wire.Link) {
	all := i.linked.Load()
	if all == nil {
		return nil
	}
	for _, links := range all {
		for _, link := range links {
			if (best == nil || link.Load() < best.Load()) && link.Present() && !slices.Contains(but, link) {
				best = link
			}
		}
		if best != nil {
			break
		}
	}
	return best
}
