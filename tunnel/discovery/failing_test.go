package discovery

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

var (
	errDown = errors.New("the API server is down")

	servicesResource = corev1.SchemeGroupVersion.WithResource("services")
)

// faulty is a clientset whose services cannot be listed nor watched while down.
type faulty struct {
	*fake.Clientset
	down    atomic.Bool
	streams chan *watch.RaceFreeFakeWatcher // watches of services, as they are opened
}

func newFaulty(objects ...runtime.Object) *faulty {
	f := &faulty{Clientset: fake.NewClientset(objects...), streams: make(chan *watch.RaceFreeFakeWatcher, 10)}
	f.PrependReactor("list", "services", func(clienttesting.Action) (bool, runtime.Object, error) {
		return f.down.Load(), nil, errDown
	})
	f.PrependWatchReactor("services", func(clienttesting.Action) (bool, watch.Interface, error) {
		if f.down.Load() {
			return true, nil, errDown
		}
		stream := watch.NewRaceFreeFake()
		f.streams <- stream
		return true, stream, nil
	})
	return f
}

// told returns a Failing function and what it was told.
func told() (func(error), chan error) {
	errs := make(chan error, 1000)
	return func(err error) { errs <- err }, errs
}

// awaitTold waits until want is told, which may be nil.
func awaitTold(t *testing.T, errs chan error, want error) {
	t.Helper()
	late := time.After(testTimeout)
	for {
		select {
		case err := <-errs:
			if errors.Is(err, want) {
				return
			}
		case <-late:
			require.FailNow(t, "Failing was not told", "%v", want)
		}
	}
}

func TestFailingFromTheStart(t *testing.T) {
	t.Parallel()
	client := newFaulty(serviceFrom(t, "web", onePort))
	client.down.Store(true)
	watcher := New(client, Scope{Namespaces: []string{"demo"}})
	var errs chan error
	watcher.Failing, errs = told()
	w := follow(t, watcher)

	awaitTold(t, errs, errDown)
	require.Empty(t, w.changes, "nothing is told before everything is known")
	client.down.Store(false)
	awaitTold(t, errs, nil)
	require.Contains(t, w.next(), Key{"demo", "web"})
}

func TestFailingLaterKeepsWhatIsKnown(t *testing.T) {
	t.Parallel()
	client := newFaulty(serviceFrom(t, "web", onePort))
	watcher := New(client, Scope{Namespaces: []string{"demo"}})
	var errs chan error
	watcher.Failing, errs = told()
	w := follow(t, watcher)
	require.Len(t, w.next(), 1)
	stream := <-client.streams
	require.Empty(t, errs, "all is well")

	client.down.Store(true)
	stream.Stop()
	awaitTold(t, errs, errDown)
	require.Empty(t, w.changes, "the services last known stay")

	require.NoError(t, client.Tracker().Add(serviceFrom(t, "late", onePort)))
	client.down.Store(false)
	awaitTold(t, errs, nil)
	select {
	case stream = <-client.streams:
	case <-time.After(testTimeout):
		require.FailNow(t, "services are not watched again")
	}
	stream.Add(serviceFrom(t, "later", onePort))
	w.until(Key{"demo", "later"}, func(s *Service) bool { return s != nil })
}

// A version too old is how an API server answers after a long absence: what
// changed meanwhile comes with a new list.
func TestWatchExpires(t *testing.T) {
	t.Parallel()
	client := newFaulty(serviceFrom(t, "web", onePort), serviceFrom(t, "api", onePort))
	w := follow(t, New(client, Scope{Namespaces: []string{"demo"}})) // Failing is nil
	require.Len(t, w.next(), 2)
	stream := <-client.streams

	require.NoError(t, client.Tracker().Delete(servicesResource, "demo", "web"))
	require.NoError(t, client.Tracker().Add(serviceFrom(t, "late", onePort)))
	stream.Error(&metav1.Status{Status: metav1.StatusFailure, Code: 410, Reason: metav1.StatusReasonExpired})
	gone, come := false, false
	for !gone || !come {
		changes := w.next()
		if service, ok := changes[Key{"demo", "web"}]; ok {
			gone = service == nil
		}
		come = come || changes[Key{"demo", "late"}] != nil
	}
}

func TestRunEndsWhileTheServerIsDown(t *testing.T) {
	t.Parallel()
	client := newFaulty()
	client.down.Store(true)
	watcher := New(client, Scope{Namespaces: []string{"demo"}})
	var errs chan error
	watcher.Failing, errs = told()
	follow(t, watcher) // its cleanup waits for Run to return
	awaitTold(t, errs, errDown)
}
