package intercept

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

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
	return &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}, Items: append([]corev1.Pod(nil), s.pods...)}, s.failing
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

// followed is a follower at work, and what it tells.
type followed struct {
	*follower
	names   chan []string
	trouble chan error
}

func (s *server) follow(t *testing.T) followed {
	s.streams = make(chan *watch.RaceFreeFakeWatcher, 1000)
	f := followed{names: make(chan []string, 1000), trouble: make(chan error, 1000)}
	f.follower = &follower{what: "pods", list: s.list, watch: s.watch, trouble: func(err error) { f.trouble <- err }}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.run(ctx, func(all objects) {
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

	// A watch that ends, or whose version has expired, is nobody's trouble.
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
	f.again()
	require.Equal(t, []string{"e"}, <-f.names)
	require.Empty(t, f.trouble)
}

func TestFollowInTrouble(t *testing.T) {
	t.Parallel()
	s := &server{pods: []corev1.Pod{named("a")}, failing: errors.New("the API server is down")}
	f := s.follow(t)
	require.ErrorContains(t, <-f.trouble, "list pods: the API server is down")
	require.Eventually(t, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.lists >= 3 }, soon, soon/1000)
	require.Empty(t, f.trouble, "it is told once")
	s.change(func() { s.failing = nil })
	require.NoError(t, <-f.trouble)
	require.Equal(t, []string{"a"}, <-f.names)
}

// Without the right to watch there are lists, though not many.
func TestFollowWithoutWatch(t *testing.T) {
	t.Parallel()
	s := &server{pods: []corev1.Pod{named("a")}, denied: errors.New("not yours")}
	f := s.follow(t)
	require.ErrorContains(t, <-f.trouble, "watch pods: not yours")
	require.Equal(t, []string{"a"}, <-f.names)
	s.change(func() { s.pods = []corev1.Pod{named("b")} })
	require.Eventually(t, func() bool { return (<-f.names)[0] == "b" }, soon, soon/1000)
	require.Empty(t, f.trouble)
}
