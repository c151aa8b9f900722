package intercept

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/devtun/devtun/pause"
)

const (
	// listTimeout bounds a list. watchFor is how long one watch lasts; a dead
	// connection is noticed then, at the latest.
	listTimeout = 5 * time.Second
	watchFor    = time.Minute

	// followMin and followMax bound the pause before the next attempt. client-go's
	// grows to half a minute, long after an API server is back.
	followMin = 100 * time.Millisecond
	followMax = 2 * time.Second
)

// objects are objects of one kind and namespace, by name.
type objects map[string]runtime.Object

// follower knows a few objects as they are: it lists and watches them, and does
// so again from the start when a watch ends, which is cheap for so few.
type follower struct {
	what    string // for errors
	list    func(context.Context, metav1.ListOptions) (runtime.Object, error)
	watch   func(context.Context, metav1.ListOptions) (watch.Interface, error)
	options metav1.ListOptions // the selectors
	trouble func(error)        // when it begins to fail, and with nil when that is over

	mu   sync.Mutex
	stop context.CancelFunc // ends the watch; nil while there is none
}

// run calls changed with all objects, at first and at each change, one call at a
// time, until ctx ends. While it fails, they stay as they were.
func (f *follower) run(ctx context.Context, changed func(objects)) {
	backoff, failing := pause.Backoff{Min: followMin, Max: followMax}, false
	for ctx.Err() == nil {
		err := f.once(ctx, changed, func() {
			if failing {
				f.trouble(nil)
			}
			failing = false
			backoff.Reset()
		})
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			if !failing {
				f.trouble(err)
			}
			failing = true
		}
		if backoff.Sleep(ctx) != nil {
			return
		}
	}
}

// again makes run list at once: what the watch brings may be late.
func (f *follower) again() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stop != nil {
		f.stop()
	}
}

// once lists, and then watches until the watch ends; works is called between.
func (f *follower) once(ctx context.Context, changed func(objects), works func()) error {
	all, version, err := f.all(ctx)
	if err != nil {
		return err
	}
	changed(all)

	ctx, cancel := context.WithTimeout(ctx, watchFor+listTimeout)
	defer cancel()
	f.watching(cancel)
	defer f.watching(nil)
	seconds := int64(watchFor / time.Second)
	options := f.options
	options.ResourceVersion, options.TimeoutSeconds = version, &seconds
	stream, err := f.watch(ctx, options)
	if err != nil {
		return f.failed(ctx, err)
	}
	defer stream.Stop()
	works()
	for {
		select {
		case event, open := <-stream.ResultChan():
			if !open {
				return nil
			}
			if err := apply(event, all); err != nil {
				return f.failed(ctx, err)
			}
			changed(all)
		case <-ctx.Done():
			return nil
		}
	}
}

// all lists what there is now: without a version the answer comes from no cache.
func (f *follower) all(ctx context.Context) (objects, string, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	list, err := f.list(ctx, f.options)
	if err != nil {
		return nil, "", fmt.Errorf("list %s: %w", f.what, err)
	}
	all := make(objects)
	err = meta.EachListItem(list, func(object runtime.Object) error {
		name, err := nameOf(object)
		all[name] = object
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("list %s: %w", f.what, err)
	}
	accessor, err := meta.ListAccessor(list)
	if err != nil {
		return nil, "", fmt.Errorf("list %s: %w", f.what, err)
	}
	return all, accessor.GetResourceVersion(), nil
}

func (f *follower) watching(stop context.CancelFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stop = stop
}

// failed is a watch's error, unless it was stopped or an old version has expired.
func (f *follower) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return nil
	}
	return fmt.Errorf("watch %s: %w", f.what, err)
}

// apply makes what a watch tells of happen to all.
func apply(event watch.Event, all objects) error {
	switch event.Type {
	case watch.Error:
		return apierrors.FromObject(event.Object)
	case watch.Bookmark:
		return nil
	}
	name, err := nameOf(event.Object)
	if err != nil {
		return err
	}
	if event.Type == watch.Deleted {
		delete(all, name)
	} else {
		all[name] = event.Object
	}
	return nil
}

func nameOf(object runtime.Object) (string, error) {
	accessor, err := meta.Accessor(object)
	if err != nil {
		return "", err
	}
	return accessor.GetName(), nil
}
