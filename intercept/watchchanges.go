package intercept

import (
	"context"
	"fmt"
	"reflect"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"github.com/devtun/devtun/intercept/objects"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/internal/pause"
)

// WatchChanges tells, until ctx ends, when somebody else changes what the plan
// changes, and when it stands again as the plan left it. Call it after the swap,
// and end ctx before the restore: those would look like somebody else's.
func (i *Intercept) WatchChanges(ctx context.Context) {
	var watching sync.WaitGroup
	defer watching.Wait()
	watch := func(o plan.Object) {
		if w := i.watcher(o); w != nil {
			watching.Go(func() { i.watchObject(ctx, o, w) })
		}
	}
	for _, step := range i.config.Plan.Swap {
		if step.Carrier != "" {
			watching.Go(func() { i.watchScale(ctx, step) })
			continue
		}
		watch(step.Object)
	}
	if i.config.Plan.Mode == plan.Divert { // which changes nothing of the workload, and needs it
		watch(i.config.Plan.Workload)
	}
}

// watcher is what knows one object that the plan changes; nil if its kind is
// not known.
func (i *Intercept) watcher(o plan.Object) *objects.Watcher {
	core, apps, n := i.config.Client.CoreV1(), i.config.Client.AppsV1(), i.config.Plan.Namespace
	w := &objects.Watcher{
		What: o.String(),
		Options: metav1.ListOptions{
			FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, o.Name).String(),
		},
		Failing: i.watchFailing,
	}
	switch o.Kind {
	case "ConfigMap":
		w.List, w.Watch = listing(core.ConfigMaps(n).List), core.ConfigMaps(n).Watch
	case "Service":
		w.List, w.Watch = listing(core.Services(n).List), core.Services(n).Watch
	case "Pod":
		w.List, w.Watch = listing(core.Pods(n).List), core.Pods(n).Watch
	case "Deployment":
		w.List, w.Watch = listing(apps.Deployments(n).List), apps.Deployments(n).Watch
	case "StatefulSet":
		w.List, w.Watch = listing(apps.StatefulSets(n).List), apps.StatefulSets(n).Watch
	case "DaemonSet":
		w.List, w.Watch = listing(apps.DaemonSets(n).List), apps.DaemonSets(n).Watch
	case "ReplicaSet":
		w.List, w.Watch = listing(apps.ReplicaSets(n).List), apps.ReplicaSets(n).Watch
	default:
		return nil
	}
	return w
}

// listing is a typed list as the watcher's.
func listing[L runtime.Object](list func(context.Context, metav1.ListOptions) (L, error)) cache.ListWithContextFunc {
	return func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return list(ctx, options)
	}
}

// watchObject tells of one object's changes, each once it has stood for a moment:
// who changes several fields in turn has made one change.
func (i *Intercept) watchObject(ctx context.Context, o plan.Object, w *objects.Watcher) {
	var mu sync.Mutex
	var now ChangeEvent
	changed := make(chan struct{}, 1)
	var following sync.WaitGroup
	defer following.Wait()
	following.Go(func() {
		w.Run(ctx, func(all objects.ByName) {
			found, err := i.examine(o, all[o.Name])
			if err != nil {
				i.tell(Event{WatchError: &WatchErrorEvent{Message: fmt.Sprintf("examine %s: %v", o, err)}})
				return
			}
			mu.Lock()
			defer mu.Unlock()
			now = found
			wake(changed)
		})
	})
	told := ChangeEvent{Object: o, What: Standing}
	for {
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
		if pause.Sleep(ctx, i.timing.changeRest) != nil {
			return
		}
		mu.Lock()
		event := now
		mu.Unlock()
		if !reflect.DeepEqual(event, told) {
			told = event
			i.change(func() { i.changes[o] = event })
			i.tell(Event{Change: &event})
		}
	}
}

// examine says how an object is found; nil is one that is not there.
func (i *Intercept) examine(o plan.Object, object runtime.Object) (ChangeEvent, error) {
	if object == nil {
		return ChangeEvent{Object: o, What: Deleted}, nil
	}
	state, conflicts, changes, err := target.Examine(i.config.Plan, object)
	if err != nil {
		return ChangeEvent{}, err
	}
	if !changes {
		state = plan.Standing
	}
	return changeOf(plan.Finding{Object: o, State: state, Conflicts: conflicts}), nil
}

// changeOf says what became of an object.
func changeOf(f plan.Finding) ChangeEvent {
	event := ChangeEvent{Object: f.Object, What: Standing}
	switch {
	case f.Gone:
		event.What = Deleted
	case f.State == plan.Restored:
		event.What = PutBack
	case f.State == plan.Foreign:
		event.What, event.Conflicts = Altered, f.Conflicts
	}
	return event
}
