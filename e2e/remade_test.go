package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// aSet is a StatefulSet of the tests' server, whose pod is made anew under its name.
const aSet = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  serviceName: web
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
      - name: server
        image: devtun.test/testserver:dev
        imagePullPolicy: IfNotPresent
        readinessProbe: {periodSeconds: 1, httpGet: {path: /ready, port: 8080}}`

const itsService = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]`

// TestAPodMadeAnewUnderItsName: the API connections to the one before lead nowhere,
// and keep nobody from the new one.
func TestAPodMadeAnewUnderItsName(t *testing.T) { podMadeAnew(t, portForward) }

func podMadeAnew(t *testing.T, by way) {
	const connections = 20
	n := newNamespace(t)
	n.apply(itsService)
	n.apply(aSet)
	n.allReady()
	d := by.start(t, "-n", n.name, "-v")
	addr := d.addr("web", 80)
	web := func() corev1.Pod {
		pod, err := n.client.CoreV1().Pods(n.name).Get(t.Context(), "web-0", metav1.GetOptions{})
		require.NoError(t, err)
		return *pod
	}
	now := int64(0)
	for _, test := range []struct {
		name string
		end  func() error
		same bool // UID
	}{
		{"deleted", func() error {
			return n.client.CoreV1().Pods(n.name).Delete(t.Context(), "web-0", metav1.DeleteOptions{})
		}, false},
		{"deleted by force", func() error {
			return n.client.CoreV1().Pods(n.name).Delete(t.Context(), "web-0", metav1.DeleteOptions{GracePeriodSeconds: &now})
		}, false},
		{"another sandbox", func() error { return localCluster(t).KillSandbox(t.Context(), string(web().UID)) }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			d.state("web", "ready", rolloutTimeout)
			require.NoError(t, askAtOnce(addr, connections, 10*time.Second))
			before, mark := web(), d.mark()
			require.NoError(t, test.end())
			if !test.same { // no endpoint is ready meanwhile, and a connection is held
				require.Eventually(t, func() bool {
					return slices.ContainsFunc(d.since(mark),
						func(e event) bool { return e.Type == "service" && e.State == "waiting" })
				}, rolloutTimeout, 10*time.Millisecond)
				held := askLater(addr, rolloutTimeout)
				d.state("web", "ready", rolloutTimeout)
				ready := time.Now()
				require.NoError(t, <-held)
				t.Logf("the first answer comes %v after the pod is ready", time.Since(ready).Round(time.Millisecond))
			}
			require.Eventually(t, func() bool {
				pod := web()
				return pod.Status.PodIP != before.Status.PodIP &&
					slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
						return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
					})
			}, rolloutTimeout, pollEvery, "it is another sandbox")
			require.NoError(t, askAtOnce(addr, connections, 10*time.Second))
			require.Equal(t, test.same, before.UID == web().UID)
		})
	}
}
