package e2e

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/e2e/testbed"
)

// Tests that change nothing in the cluster share a namespace and its pods: the first
// one that comes makes it. It goes with the test bed, and with the programs in it.

// sharedExamples is a namespace with the examples, for whoever leaves them as they are.
func sharedExamples(t *testing.T) *namespace {
	t.Helper()
	return shared(t, "e2e-shared-examples", (*namespace).examples)
}

// sharedWeb is a namespace with one pod of the tests' server, as service web.
func sharedWeb(t *testing.T) *namespace {
	t.Helper()
	return shared(t, "e2e-shared-web", func(n *namespace) *namespace { return n.testserver("web", 1) })
}

// sharedIdle is a namespace with a service web that has no pods.
func sharedIdle(t *testing.T) *namespace {
	t.Helper()
	return shared(t, "e2e-shared-idle", func(n *namespace) *namespace { return n.testserver("web", 0) })
}

func shared(t *testing.T, name string, furnish func(*namespace) *namespace) *namespace {
	t.Helper()
	client, err := kubernetes.NewForConfig(restConfig(t))
	require.NoError(t, err)
	n := &namespace{t: t, client: client, name: name}
	lock, err := os.OpenFile(filepath.Join(bed.Programs, name+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	require.NoError(t, err)
	defer lock.Close() // and with it the lock
	require.NoError(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	there, err := client.CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{})
	if err == nil && there.DeletionTimestamp == nil && there.Annotations[furnished] == bed.Images {
		n.shared = true
		return n
	}
	if err == nil { // of other programs, or not finished
		kubectl(t, "delete", "namespace", name)
	} else {
		require.True(t, apierrors.IsNotFound(err), err)
	}
	_, err = client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{testbed.SharedLabel: "yes"},
	}}, metav1.CreateOptions{})
	require.NoError(t, err)
	furnish(n).shared = true
	kubectl(t, "annotate", "namespace", name, furnished+"="+bed.Images)
	return n
}

// furnished is the annotation that says with which images a namespace was made.
const furnished = "devtun.test/furnished"
