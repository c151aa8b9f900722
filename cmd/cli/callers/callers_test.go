package callers

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func pod(namespace, name, address string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Status: corev1.PodStatus{PodIP: address, Phase: corev1.PodRunning}}
	for _, c := range change {
		c(p)
	}
	return p
}

func TestNames(t *testing.T) {
	ended := func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }
	onNode := func(p *corev1.Pod) { p.Spec.HostNetwork = true }
	n := New(fake.NewClientset(
		pod("demo", "front", "10.0.0.1"), pod("demo", "job", "10.0.0.1", ended), pod("other", "web", "10.0.0.2"),
		pod("demo", "proxy", "10.0.0.3", onNode), pod("other", "twin", "fd00::1"),
	), "demo")
	for address, want := range map[string]string{
		"10.0.0.1:5": "front", "10.0.0.2:5": "web.other", "[fd00::1]:5": "twin.other", "no address": "",
	} {
		require.Equal(t, want, n.Of(t.Context(), address), address)
	}
	require.Empty(t, n.Of(t.Context(), "10.0.0.3:5"), "the address is the node's")
}

func TestHowOftenIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(pod("demo", "front", "10.0.0.1"))
		n := New(client, "demo")
		asked := func() int { defer client.ClearActions(); return len(client.Actions()) }
		require.Equal(t, "front", n.Of(t.Context(), "10.0.0.1:5"))
		require.Equal(t, "front", n.Of(t.Context(), "10.0.0.1:6"))
		require.Equal(t, 1, asked())
		require.Empty(t, n.Of(t.Context(), "10.0.0.9:5"))
		require.Equal(t, 2, asked(), "in this namespace, and in all")
		require.Empty(t, n.Of(t.Context(), "10.0.0.8:5"))
		require.Zero(t, asked(), "once a second for unknown ones")
		time.Sleep(askEvery)
		require.Empty(t, n.Of(t.Context(), "10.0.0.8:5"))
		require.Equal(t, 2, asked())
		time.Sleep(rememberFor)
		require.Equal(t, "front", n.Of(t.Context(), "10.0.0.1:5"))
		require.Equal(t, 1, asked())
	})
}

func TestWithoutTheRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(pod("demo", "front", "10.0.0.1"))
		failure := error(apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", nil))
		client.PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
			return failure != nil, nil, failure
		})
		n := New(client, "demo")
		require.Empty(t, n.Of(t.Context(), "10.0.0.1:5"))
		require.Len(t, client.Actions(), 2)
		time.Sleep(2 * rememberFor)
		require.Empty(t, n.Of(t.Context(), "10.0.0.1:5"))
		require.Len(t, client.Actions(), 2, "it is not asked again")

		failure = errors.New("the API server is away")
		n = New(client, "demo")
		require.Empty(t, n.Of(t.Context(), "10.0.0.1:5"))
		failure = nil
		time.Sleep(askEvery)
		require.Equal(t, "front", n.Of(t.Context(), "10.0.0.1:5"), "at once when it is back")
	})
}
