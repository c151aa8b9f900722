package discovery

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// Scope says which services to watch.
type Scope struct {
	// Namespaces to watch; "" alone for all of the cluster.
	Namespaces []string
	// Selector is a label selector for services; "" for all.
	Selector string
	// Targets are what is watched beside services.
	Targets []Target
}

// Watcher watches the services of a scope.
type Watcher struct {
	// Failing, unless nil, is told when a watch begins to fail, and with nil
	// when it works again. It may be called by several goroutines.
	Failing func(error)

	client kubernetes.Interface
	scope  Scope
}

// New returns a watcher. Run starts it.
func New(client kubernetes.Interface, scope Scope) *Watcher {
	return &Watcher{client: client, scope: scope}
}

// Run calls changed first with every service there is, once all watches have
// delivered that, and from then on with those that changed meanwhile, one call
// at a time. What fails is tried again for as long as ctx lasts; the services
// last known stay.
func (w *Watcher) Run(ctx context.Context, changed func(Changes)) {
	var running sync.WaitGroup
	defer running.Wait()
	pods := podWatches(w.scope.Targets)
	store := newStore(2*len(w.scope.Namespaces) + len(pods))
	for _, target := range w.scope.Targets {
		store.want(target)
	}
	for _, of := range pods {
		running.Go(func() { w.reflect(ctx, w.pods(of), &corev1.Pod{}, store.pods(of)) })
	}
	for _, namespace := range w.scope.Namespaces {
		running.Go(func() {
			w.reflect(ctx, w.services(namespace), &corev1.Service{}, store.services(namespace))
		})
		running.Go(func() {
			w.reflect(ctx, w.slices(namespace), &discoveryv1.EndpointSlice{}, store.slices(namespace))
		})
	}
	for {
		changes, ok := store.next(ctx)
		if !ok {
			return
		}
		changed(changes)
	}
}

// retry is the pause between attempts to list or watch. client-go's own grows
// to half a minute, long after an API server is back.
var retry = wait.Backoff{Duration: 500 * time.Millisecond, Cap: 2 * time.Second, Steps: 3, Factor: 2, Jitter: 0.5}

// reflect keeps into in step with the API server until ctx ends.
func (w *Watcher) reflect(ctx context.Context, source *cache.ListWatch, kind runtime.Object,
	into cache.ReflectorStore) {
	backoff := retry
	reflector := cache.NewReflectorWithOptions(cache.ToListWatcherWithWatchListSemantics(source, w.client), kind, into,
		cache.ReflectorOptions{Backoff: &backoff})
	reflector.RunWithContext(ctx)
}

func (w *Watcher) services(namespace string) *cache.ListWatch {
	api := w.client.CoreV1().Services(namespace)
	return observe(w, w.scope.Selector, "",
		func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return api.List(ctx, options)
		}, api.Watch)
}

func (w *Watcher) slices(namespace string) *cache.ListWatch {
	api := w.client.DiscoveryV1().EndpointSlices(namespace)
	return observe(w, discoveryv1.LabelServiceName, "",
		func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return api.List(ctx, options)
		}, api.Watch)
}

// observe makes a ListWatch that selects and that tells w of failures.
func observe(w *Watcher, labels, field string,
	list func(context.Context, metav1.ListOptions) (runtime.Object, error),
	watchFunc func(context.Context, metav1.ListOptions) (watch.Interface, error)) *cache.ListWatch {
	var mu sync.Mutex
	var failing bool
	tell := func(ctx context.Context, err error) {
		mu.Lock()
		defer mu.Unlock()
		if ctx.Err() == nil && (err != nil || failing) && w.Failing != nil {
			w.Failing(err)
		}
		failing = err != nil
	}
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.LabelSelector, options.FieldSelector = labels, field
			object, err := list(ctx, options)
			tell(ctx, err)
			return object, err
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.LabelSelector, options.FieldSelector = labels, field
			stream, err := watchFunc(ctx, options)
			tell(ctx, err)
			return stream, err
		},
	}
}
