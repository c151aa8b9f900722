package objects

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

const soon = 10 * time.Second

// server is a list and watches of pods, which may fail.
type server struct {
	mu      sync.Mutex
	pods    []corev1.Pod
	failing error // of lists
	denied  error // of watches
	lists   int
	streams chan *watch.RaceFreeFakeWatcher // as they are opened
}

func (s *server) change(by func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	by()
}

func (s *server) list(context.Context, metav1.ListOptions) (runtime.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists++
	return &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}, Items: append([]corev1.Pod(nil), s.pods...)},
		s.failing
}

func (s *server) watch(_ context.Context, options metav1.ListOptions) (watch.Interface, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.denied != nil {
		return nil, s.denied
	}
	if options.ResourceVersion != "7" {
		return nil, errors.New("not from where the list was")
	}
	stream := watch.NewRaceFreeFake()
	s.streams <- stream
	return stream, nil
}

// followed is a Watcher at work, and what it tells.
type followed struct {
	*Watcher
	names   chan []string
	failing chan error
}

func (s *server) follow(t *testing.T) followed {
	s.streams = make(chan *watch.RaceFreeFakeWatcher, 1000)
	f := followed{names: make(chan []string, 1000), failing: make(chan error, 1000)}
	f.Watcher = &Watcher{What: "pods", List: s.list, Watch: s.watch, Failing: func(err error) { f.failing <- err }}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.Run(ctx, func(all ByName) {
			names := []string{}
			for name := range all {
				names = append(names, name)
			}
			f.names <- names
		})
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return f
}

func named(name string) corev1.Pod { return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}} }

func TestFollow(t *testing.T) {
	t.Parallel()
	s := &server{pods: []corev1.Pod{named("a")}}
	f := s.follow(t)
	require.Equal(t, []string{"a"}, <-f.names)
	stream := <-s.streams
	b := named("b")
	stream.Add(&b)
	require.ElementsMatch(t, []string{"a", "b"}, <-f.names)
	a := named("a")
	stream.Delete(&a)
	require.Equal(t, []string{"b"}, <-f.names)

	// A watch that ends, or whose version has expired, is no failure.
	s.change(func() { s.pods = []corev1.Pod{named("c")} })
	stream.Stop()
	require.Equal(t, []string{"c"}, <-f.names)
	stream = <-s.streams
	s.change(func() { s.pods = []corev1.Pod{named("d")} })
	expired := apierrors.NewResourceExpired("too old").Status()
	stream.Error(&expired)
	require.Equal(t, []string{"d"}, <-f.names)

	<-s.streams // and this one tells nothing
	s.change(func() { s.pods = []corev1.Pod{named("e")} })
	f.Again()
	require.Equal(t, []string{"e"}, <-f.names)
	require.Empty(t, f.failing)
}

func TestFollowWhileItFails(t *testing.T) {
	t.Parallel()
	s := &server{pods: []corev1.Pod{named("a")}, failing: errors.New("the API server is down")}
	f := s.follow(t)
	require.ErrorContains(t, <-f.failing, "list pods: the API server is down")
	require.Eventually(t, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.lists >= 3 }, soon, soon/1000)
	require.Empty(t, f.failing, "it is told once")
	s.change(func() { s.failing = nil })
	require.NoError(t, <-f.failing)
	require.Equal(t, []string{"a"}, <-f.names)
}

// Without the right to watch there are lists, though not many.
func TestFollowWithoutWatch(t *testing.T) {
	t.Parallel()
	s := &server{pods: []corev1.Pod{named("a")}, denied: errors.New("not yours")}
	f := s.follow(t)
	require.ErrorContains(t, <-f.failing, "watch pods: not yours")
	require.Equal(t, []string{"a"}, <-f.names)
	s.change(func() { s.pods = []corev1.Pod{named("b")} })
	require.Eventually(t, func() bool { return (<-f.names)[0] == "b" }, soon, soon/1000)
	require.Empty(t, f.failing)
}
