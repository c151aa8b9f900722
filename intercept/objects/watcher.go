// Package objects knows a few objects of the cluster, of one kind, as they are.
//
//	pods := &objects.Watcher{What: "the agent's pods", List: …, Watch: …, Options: selectors, Failing: tell}
//	pods.Run(ctx, func(all objects.ByName) { … })
//
// It lists and watches them by client-go's Reflector. Every watch begins with a list,
// which is cheap for so few, and so does what a caller has missed: Again asks for one.
package objects

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/devtun/devtun/internal/pause"
)

const (
	// listTimeout bounds a list. watchTime is how long one watch lasts; a dead
	// connection is noticed then, at the latest.
	listTimeout = 5 * time.Second
	watchTime   = time.Minute

	// retryMin and retryMax bound the pause before the next attempt. client-go's
	// grows to half a minute, long after an API server is back.
	retryMin = 100 * time.Millisecond
	retryMax = 2 * time.Second
)

// Watcher lists and watches objects. Run it once.
type Watcher struct {
	What    string // for errors
	List    cache.ListWithContextFunc
	Watch   cache.WatchFuncWithContext
	Options metav1.ListOptions // the selectors
	Failing func(error)        // told when it begins to fail, and nil when it works again

	mu      sync.Mutex
	stop    context.CancelFunc // ends the watch; nil while there is none
	failing bool
	backoff pause.Backoff
}

// Run calls changed with all objects, at first and at each change, one call at a
// time, until ctx ends. While it fails, they stay as they were.
func (w *Watcher) Run(ctx context.Context, changed func(ByName)) {
	w.backoff = pause.Backoff{Min: retryMin, Max: retryMax}
	into := newStore(changed)
	for ctx.Err() == nil {
		w.once(ctx, into)
		if pause.Sleep(ctx, w.pause()) != nil {
			return
		}
	}
}

// Again makes Run list at once: what the watch brings may be late.
func (w *Watcher) Again() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop != nil {
		w.stop()
	}
}

// errWatched ends a Reflector's second watch.
var errWatched = errors.New("each watch begins with a list")

// once lists, and then watches until the watch ends. What fails is told where it does.
func (w *Watcher) once(ctx context.Context, into cache.ReflectorStore) {
	ctx, cancel := context.WithTimeout(ctx, watchTime+2*listTimeout)
	defer cancel()
	defer w.stopBy(nil)
	watched := false
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			bounded, cancel := context.WithTimeout(ctx, listTimeout)
			defer cancel()
			options.ResourceVersion = "" // from no cache
			list, err := w.List(bounded, w.selecting(options))
			return list, w.note(ctx, "list", err)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			if watched {
				return nil, errWatched
			}
			watched = true
			seconds := int64(watchTime / time.Second)
			options.TimeoutSeconds = &seconds
			w.stopBy(cancel)
			stream, err := w.Watch(ctx, w.selecting(options))
			if err == nil {
				w.works()
			}
			return stream, w.note(ctx, "watch", err)
		},
	}
	_ = cache.NewReflectorWithOptions(lister{source}, nil, into, cache.ReflectorOptions{
		Name: w.What, Backoff: &wait.Backoff{Duration: retryMin},
	}).ListAndWatchWithContext(ctx)
}

// lister has a Reflector list, and not receive a list by a watch.
type lister struct{ *cache.ListWatch }

func (lister) IsWatchListSemanticsUnSupported() bool { return true }

func (w *Watcher) selecting(options metav1.ListOptions) metav1.ListOptions {
	options.LabelSelector, options.FieldSelector = w.Options.LabelSelector, w.Options.FieldSelector
	return options
}

func (w *Watcher) stopBy(cancel context.CancelFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stop = cancel
}

func (w *Watcher) pause() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.backoff.Next()
}

// note tells of the first error. One that comes of the end of ctx is none, nor is a
// version that has expired.
func (w *Watcher) note(ctx context.Context, act string, err error) error {
	if err == nil || ctx.Err() != nil || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return err
	}
	err = fmt.Errorf("%s %s: %w", act, w.What, err)
	w.mu.Lock()
	first := !w.failing
	w.failing = true
	w.mu.Unlock()
	if first {
		w.Failing(err)
	}
	return err
}

// works notes that nothing fails any more.
func (w *Watcher) works() {
	w.mu.Lock()
	failed := w.failing
	w.failing = false
	w.backoff.Reset()
	w.mu.Unlock()
	if failed {
		w.Failing(nil)
	}
}
