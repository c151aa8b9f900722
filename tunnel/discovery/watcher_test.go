package discovery

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// testTimeout bounds the wait for what must happen.
	testTimeout = 10 * time.Second

	onePort = `{selector: {app: web}, ports: [{name: http, port: 80}]}`
)

// watching is a Watcher at work and what it said.
type watching struct {
	t       *testing.T
	changes chan Changes
}

// follow runs watcher until the test ends, and then waits for Run to return.
func follow(t *testing.T, watcher *Watcher) *watching {
	t.Helper()
	w := &watching{t, make(chan Changes, 100)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		watcher.Run(ctx, func(changes Changes) { w.changes <- changes })
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(testTimeout):
			t.Error("Run did not return when its context ended")
		}
	})
	return w
}

func (w *watching) next() Changes {
	w.t.Helper()
	select {
	case changes := <-w.changes:
		return changes
	case <-time.After(testTimeout):
		require.FailNow(w.t, "no changes were told")
		return nil
	}
}

// until merges changes, which come together or apart, until done holds of a service.
func (w *watching) until(key Key, done func(*Service) bool) {
	w.t.Helper()
	for {
		changes := w.next()
		if service, ok := changes[key]; ok && done(service) {
			return
		}
	}
}

// pods waits until the service's first port leads to n pods.
func (w *watching) pods(key Key, n int) {
	w.t.Helper()
	w.until(key, func(s *Service) bool { return s != nil && s.Ready() == n })
}

// watched waits until a fake is watched by all who have listed. What changes between the two
// is lost with it; the real API server tells it to who watches from the list's version on.
func watched(t *testing.T, client *fake.Clientset) {
	t.Helper()
	require.Eventually(t, func() bool {
		lists, watches := 0, 0
		for _, action := range client.Actions() {
			switch action.GetVerb() {
			case "list":
				lists++
			case "watch":
				watches++
			}
		}
		return lists > 0 && watches >= lists
	}, testTimeout, time.Millisecond)
}

// elsewhere moves an object to another namespace.
func elsewhere[T metav1.Object](object T, namespace string) T {
	object.SetNamespace(namespace)
	return object
}

func TestFirstEverythingThenChanges(t *testing.T) {
	ctx := t.Context()
	client := fake.NewClientset(
		serviceFrom(t, "web", onePort), sliceFrom(t, "web", "web-1", twoPods),
		serviceFrom(t, "api", onePort),
		elsewhere(serviceFrom(t, "other", onePort), "shop"),
		sliceFrom(t, "ghost", "ghost-1", twoPods), // of a service that is not there
	)
	w := follow(t, New(client, Scope{Namespaces: []string{"demo"}}))
	web, api := Key{"demo", "web"}, Key{"demo", "api"}

	first := w.next()
	watched(t, client)
	require.Len(t, first, 3)
	require.Equal(t, 2, first[web].Ready())
	require.Zero(t, first[api].Ready())
	require.Contains(t, first, Key{"demo", "ghost"})
	require.Nil(t, first[Key{"demo", "ghost"}], "a slice makes no service")

	slices := client.DiscoveryV1().EndpointSlices("demo")
	_, err := slices.Create(ctx, sliceFrom(t, "api", "api-1", twoPods), metav1.CreateOptions{})
	require.NoError(t, err)
	w.pods(api, 2)

	services := client.CoreV1().Services("demo")
	_, err = services.Create(ctx, serviceFrom(t, "late", onePort), metav1.CreateOptions{})
	require.NoError(t, err)
	w.until(Key{"demo", "late"}, func(s *Service) bool { return s != nil })

	_, err = services.Update(ctx, serviceFrom(t, "web", `{selector: {app: web}, ports: [{name: http, port: 81}]}`),
		metav1.UpdateOptions{})
	require.NoError(t, err)
	w.until(web, func(s *Service) bool { return s.Ports[0].Number == 81 && s.Ready() == 2 })

	require.NoError(t, services.Delete(ctx, "web", metav1.DeleteOptions{}))
	w.until(web, func(s *Service) bool { return s == nil })
	require.NoError(t, slices.Delete(ctx, "api-1", metav1.DeleteOptions{}))
	w.pods(api, 0)
}

func TestNothingThereIsAFirstCallToo(t *testing.T) {
	w := follow(t, New(fake.NewClientset(), Scope{Namespaces: []string{"demo", "shop"}}))
	first := w.next()
	require.NotNil(t, first)
	require.Empty(t, first)
}

func TestSliceMovesToAnotherService(t *testing.T) {
	client := fake.NewClientset(
		serviceFrom(t, "blue", onePort), serviceFrom(t, "green", onePort), sliceFrom(t, "blue", "it", twoPods))
	w := follow(t, New(client, Scope{Namespaces: []string{"demo"}}))
	first := w.next()
	watched(t, client)
	require.Equal(t, 2, first[Key{"demo", "blue"}].Ready())
	require.Zero(t, first[Key{"demo", "green"}].Ready())

	_, err := client.DiscoveryV1().EndpointSlices("demo").Update(t.Context(), sliceFrom(t, "green", "it", twoPods),
		metav1.UpdateOptions{})
	require.NoError(t, err)
	changes := w.next()
	require.Zero(t, changes[Key{"demo", "blue"}].Ready(), "both services change at one time")
	require.Equal(t, 2, changes[Key{"demo", "green"}].Ready())
}

func TestSeveralNamespaces(t *testing.T) {
	client := fake.NewClientset(
		serviceFrom(t, "web", onePort), sliceFrom(t, "web", "web-1", twoPods),
		elsewhere(serviceFrom(t, "web", onePort), "shop"), elsewhere(sliceFrom(t, "web", "web-1", twoPods), "shop"),
		elsewhere(serviceFrom(t, "web", onePort), "hidden"))
	for about, scope := range map[string]Scope{
		"two": {Namespaces: []string{"demo", "shop"}},
		"all": {Namespaces: []string{""}},
	} {
		t.Run(about, func(t *testing.T) {
			w := follow(t, New(client, scope))
			first := w.next()
			require.Equal(t, 2, first[Key{"demo", "web"}].Ready())
			require.Equal(t, 2, first[Key{"shop", "web"}].Ready())
			_, hidden := first[Key{"hidden", "web"}]
			require.Equal(t, about == "all", hidden)
		})
	}
}

func TestSelectorIsOfServicesOnly(t *testing.T) {
	labelled := serviceFrom(t, "web", onePort)
	labelled.Labels = map[string]string{"tier": "front"}
	client := fake.NewClientset(labelled, sliceFrom(t, "web", "web-1", twoPods), serviceFrom(t, "api", onePort))
	first := follow(t, New(client, Scope{Namespaces: []string{"demo"}, Selector: "tier=front"})).next()
	require.Len(t, first, 1)
	require.Equal(t, 2, first[Key{"demo", "web"}].Ready(), "slices do not carry the label")
}

// A reflector lists again after its watch broke.
func TestListTellsWhatWentMeanwhile(t *testing.T) {
	store := newStore(2)
	demo, shop := store.services("demo"), store.services("shop")
	require.NoError(t, demo.Replace([]any{serviceFrom(t, "web", onePort), serviceFrom(t, "api", onePort)}, "1"))
	require.Nil(t, store.take(), "not everything is there yet")
	require.NoError(t, shop.Replace([]any{elsewhere(serviceFrom(t, "cart", onePort), "shop")}, "1"))
	require.Len(t, store.take(), 3)
	require.Nil(t, store.take(), "nothing changed since")

	slices := store.slices("demo")
	var object any = sliceFrom(t, "web", "web-1", twoPods)
	require.NoError(t, slices.Replace([]any{object}, "1"))
	require.Equal(t, 2, store.take()[Key{"demo", "web"}].Ready())
	require.NoError(t, slices.Replace(nil, "2"))
	require.Zero(t, store.take()[Key{"demo", "web"}].Ready())

	require.NoError(t, demo.Replace([]any{serviceFrom(t, "api", onePort)}, "2"))
	changes := store.take()
	require.Nil(t, changes[Key{"demo", "web"}])
	require.Contains(t, changes, Key{"demo", "web"})
	require.NotContains(t, changes, Key{"shop", "cart"}, "another namespace's list is no news of it")
}
