package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/e2e/loader/record"
	"github.com/devtun/devtun/intercept/plan"
)

// The tests of this file have an intercept hurt nobody, whatever becomes of it.

// keys is how many the store has.
const keys = "1000 keys"

// filled is an in-memory store behind a Service.
func (n *namespace) filled(name string, replicas int32) *namespace {
	n.t.Helper()
	n.testserver(name, replicas)
	answer, err := n.client.CoreV1().RESTClient().Post().Namespace(n.name).Resource("services").Name(name+":80").
		SubResource("proxy").Suffix("keys").Param("n", "1000").DoRaw(n.t.Context())
	require.NoError(n.t, err)
	require.Equal(n.t, keys+"\n", string(answer))
	return n
}

// TestAnInMemoryStoreIsUnharmed by intercepts that end in every way there is: its pod
// stays, with every key, and no client that never meets the local process has a
// request fail.
func TestAnInMemoryStoreIsUnharmed(t *testing.T) {
	isUnharmed(t, "Ctrl-C", "killed, and restored by the agent", "killed, and plan and agents are deleted")
}

// isUnharmed goes some of the ways in which an intercept ends.
func isUnharmed(t *testing.T, ways ...string) {
	n := newNamespace(t).filled("store", 1)
	before, pod := n.trace(), n.pods("store")[0]
	l := n.loaderOf("http://store/keys", "http://store/keys")
	local := newLocalProcess(t)
	intercepts := func(args ...string) *devtun {
		return n.intercepts(kubeconfig(),
			append([]string{"store", "--port", strings.Replace(local.port(), ":8080", ":80", 1)}, args...)...)
	}
	fresh := func(says string) func(record.Answer) bool {
		return func(a record.Answer) bool { return a.Kept || strings.Contains(a.Said, says) }
	}
	deletes := func(kinds string) {
		kubectl(t, "delete", "-n", n.name, kinds, "-l", plan.ManagedByLabel+"="+plan.ManagedBy, "--wait=false")
	}
	for _, way := range []struct {
		name string
		args []string
		end  func(d *devtun)
	}{
		{"Ctrl-C", nil, func(d *devtun) { d.stop() }},
		{"killed, and restored by somebody", nil, func(d *devtun) {
			d.dies()
			_, complaint, code := n.devtun("restore", "store")
			require.Zero(t, code, complaint)
		}},
		{"killed, and restored by the agent", []string{"--grace", "5s"}, func(d *devtun) { d.dies() }},
		{"the plan is deleted", nil, func(d *devtun) {
			deletes("configmaps")
			code, complaint := d.ends()
			require.Equal(t, 9, code, complaint)
			require.Contains(t, complaint, "somebody else has deleted its plan or its agents; devtun has put everything back")
		}},
		{"killed, and the plan is deleted", []string{"--grace", "20s"}, func(d *devtun) {
			d.dies()
			deletes("configmaps")
		}},
		{"killed, and the agents are deleted", nil, func(d *devtun) {
			d.dies()
			deletes("deployments")
		}},
		{"killed, and plan and agents are deleted", nil, func(d *devtun) {
			d.dies()
			deletes("configmaps,deployments,services")
		}},
	} {
		if !slices.Contains(ways, way.name) {
			continue
		}
		t.Run(way.name, func(t *testing.T) {
			d := intercepts(way.args...)
			local.start()
			l.until("the local process answers new connections", fresh(developerSays))
			local.stop()
			l.until("the store answers again", fresh(keys))
			require.Zero(t, l.lost("swap, and the local process comes and goes"))
			way.end(d)
			n.asTraced(before)
			n.noAgents()
			require.Zero(t, l.lost(way.name))
			for _, a := range l.last(2 * perSecond) {
				require.Contains(t, a.Said, keys, "every key")
			}
			now := n.pods("store")
			require.Len(t, now, 1)
			require.Equal(t, pod.UID, now[0].UID)
			require.Zero(t, now[0].Status.ContainerStatuses[0].RestartCount)
		})
	}
}

// TestAnOrphanIsFound: plan, agents and all their rights are deleted, so that nobody is
// left to undo. The changed Service still tells how.
func TestAnOrphanIsFound(t *testing.T) {
	for _, mode := range []string{"", "--replace"} {
		t.Run("intercept "+mode, func(t *testing.T) {
			n := newNamespace(t).filled("store", 1)
			before := n.trace()
			d := n.intercepts(kubeconfig(), strings.Fields("store "+mode)...)
			d.dies()
			kubectl(t, "delete", "-n", n.name, "rolebindings,roles,serviceaccounts,configmaps,deployments,services", "-l",
				plan.ManagedByLabel+"="+plan.ManagedBy)
			n.noAgents()

			out, complaint, code := n.devtun("list")
			require.Zero(t, code, complaint)
			require.Regexp(t, `store +\S+ +\w+ +.* its plan is gone; put it back: devtun restore store -n `+n.name, out)
			_, complaint, code = n.devtun("intercept", "store", "--no-forward")
			require.Equal(t, 9, code, complaint)
			require.Contains(t, complaint, "whose plan is gone\nhint: put it back first: devtun restore store -n "+n.name)
			out, complaint, code = n.devtun("restore", "store")
			require.Zero(t, code, complaint)
			require.Equal(t, "restored: Deployment \"store\"\n", out)
			n.asTraced(before)
			out, complaint, code = n.devtun("list")
			require.Zero(t, code, complaint)
			require.Empty(t, out)
		})
	}
}

// TestWhatIsDeletedIsMadeAgain while an intercept stands, and no request is lost.
func TestWhatIsDeletedIsMadeAgain(t *testing.T) {
	n := newNamespace(t).filled("store", 1)
	before := n.trace()
	l := n.loaderOf("http://store/keys", "http://store/keys")
	local := newLocalProcess(t)
	d := n.intercepts(kubeconfig(), "store", "--port", strings.Replace(local.port(), ":8080", ":80", 1))
	for kind, name := range map[string]string{"Deployment": "devtun-store", "Service": "devtun-origin-store"} {
		mark := d.mark()
		kubectl(t, "delete", kind, name, "-n", n.name, "--wait=false")
		require.Eventually(t, func() bool {
			return slices.ContainsFunc(d.since(mark), func(e event) bool {
				return e.Type == "warning" && e.Message == "somebody else has deleted "+kind+` "`+name+`": devtun has recreated it`
			})
		}, time.Minute, pollEvery)
		n.rolledOut("devtun-store")
		local.start()
		l.until("the local process answers",
			func(a record.Answer) bool { return a.Kept || strings.Contains(a.Said, developerSays) })
		local.stop()
		l.until("the store answers", func(a record.Answer) bool { return strings.Contains(a.Said, keys) })
		require.Zero(t, l.lost(kind+" deleted"))
	}
	d.stop()
	n.asTraced(before)
	require.Zero(t, l.lost("restore"))
}

// TestNoVariablesOfAnIntercept are in pods that start meanwhile.
func TestNoVariablesOfAnIntercept(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	d := n.intercepts(kubeconfig(), "web")
	n.testserver("other", 1)
	names := n.answers("other", "variables")
	require.Contains(t, names, "WEB_SERVICE_HOST\n", "the kubelet tells of the namespace's Services")
	require.NotContains(t, names, "DEVTUN")
	d.stop()
}

// TestWhatOthersDoIsTold by the traffic lines and by list, and is true.
func TestWhatOthersDoIsTold(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	local := newLocalProcess(t)
	local.start()
	d := n.intercepts(kubeconfig(), "web", "--port", strings.Replace(local.port(), ":8080", ":80", 1))
	selector := func(value string) {
		kubectl(t, "patch", "service", "web", "-n", n.name, "--type=json", "-p",
			`[{"op": "replace", "path": "/spec/selector", "value": {"app": "`+value+`"}}]`)
	}
	told := func(to, listed, why string) {
		t.Helper()
		d.await("traffic to "+to, time.Minute, func(e event) bool {
			return e.Type == "traffic" && e.To == to && strings.Contains(e.Reason, why)
		})
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			out, _, _ := n.devtun("list")
			assert.Contains(c, out, " "+listed+" ")
			assert.Contains(c, out, why)
		}, time.Minute, pollEvery)
	}
	d.await("traffic to the developer", time.Minute,
		func(e event) bool { return e.Type == "traffic" && e.To == "developer" })
	selector("web")
	told("origin", "cluster", `somebody else has put Service "web" back as it was`)
	selector("canary")
	told("elsewhere", "elsewhere", `Service "web" has been changed by somebody else`)
	kubectl(t, "delete", "service", "web", "-n", n.name)
	told("nobody", "nowhere", `somebody else has deleted Service "web"`)
	code, complaint := d.gives()
	require.Zero(t, code, complaint)
}

// TestTheWorkloadIsDeleted under an intercept: nobody answers then, and that is said.
func TestTheWorkloadIsDeleted(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	d := n.intercepts(kubeconfig(), "web")
	d.await("traffic to the origin", time.Minute, func(e event) bool { return e.Type == "traffic" && e.To == "origin" })
	kubectl(t, "delete", "deployment", "web", "-n", n.name)
	d.await("nobody answers", time.Minute, func(e event) bool {
		return e.Type == "traffic" && e.To == "nobody" && e.Reason == `somebody else has deleted Deployment "web"`
	})
	out, complaint, code := n.devtun("list")
	require.Zero(t, code, complaint)
	require.Regexp(t, `yes +\d+ +nowhere +somebody else has deleted Deployment "web"`, out)
	code, complaint = d.gives()
	require.Zero(t, code, complaint)
}

// TestKeptConnectionsAreMoved only when asked for, and only once the local process
// answers.
func TestKeptConnectionsAreMoved(t *testing.T) {
	n := newNamespace(t).testserver("web", 2)
	uids := func() (all []string) {
		for _, pod := range n.pods("web") {
			if pod.DeletionTimestamp == nil {
				all = append(all, string(pod.UID))
			}
		}
		return all
	}
	before := uids()
	local := newLocalProcess(t)
	d := n.intercepts(kubeconfig(), "web", "--move-connections", "--port",
		strings.Replace(local.port(), ":8080", ":80", 1))
	d.await("a word about it", soon, func(e event) bool {
		return e.Type == "note" && strings.Contains(e.Message, "are moved once your process answers")
	})
	require.Never(t, func() bool { return !assert.ElementsMatch(discard{}, before, uids()) }, 5*time.Second, pollEvery,
		"nobody listens here yet")
	local.start()
	require.Eventually(t, func() bool {
		now := uids()
		for _, uid := range before {
			for _, other := range now {
				if uid == other {
					return false
				}
			}
		}
		return len(now) == 2
	}, rolloutTimeout, pollEvery, "both pods are evicted, and replaced")
	d.stop()

	n.scale("web", 1)
	require.Eventually(t, func() bool {
		web, err := n.client.AppsV1().Deployments(n.name).Get(t.Context(), "web", metav1.GetOptions{})
		require.NoError(t, err)
		return web.Status.ReadyReplicas == 1
	}, rolloutTimeout, pollEvery)
	_, complaint, code := n.devtun("intercept", "web", "--no-forward", "--move-connections")
	require.Equal(t, 9, code, complaint)
	require.Contains(t, complaint, "--move-connections=force")
	require.Empty(t, n.left())
}

// discard is a testing.T that nothing fails.
type discard struct{}

func (discard) Errorf(string, ...any) {}

// TestAStatefulSetKeepsItsNames while another Service of it is intercepted.
func TestAStatefulSetKeepsItsNames(t *testing.T) {
	n := newNamespace(t)
	n.apply(`
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db-pods
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
      - {name: server, image: "devtun.test/testserver:dev", imagePullPolicy: IfNotPresent}
---
apiVersion: v1
kind: Service
metadata: {name: db-pods}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {selector: {app: db}, ports: [{port: 80, targetPort: 8080}]}
`)
	n.allReady()
	governing := func() string {
		service, err := n.client.CoreV1().Services(n.name).Get(t.Context(), "db-pods", metav1.GetOptions{})
		require.NoError(t, err)
		return fmt.Sprint(service.Spec.Selector)
	}
	_, complaint, code := n.devtun("intercept", "svc/db-pods", "--no-forward")
	require.Equal(t, 9, code, complaint)
	require.Contains(t, complaint,
		`Service "db-pods" gives the pods of StatefulSet "db" their names, by which they find each other`)
	d := n.intercepts(kubeconfig(), "sts/db")
	d.await("a word about names", soon, func(e event) bool {
		return e.Type == "note" &&
			e.Message == `calls to the pods of StatefulSet "db" by their names (db-0.db-pods) are not intercepted`
	})
	require.Equal(t, "map[app:db]", governing())
	d.stop()
}

// TestServicesOfSeveralWorkloads are told of before the swap, in the dry run, and in the
// hint that leads there.
func TestServicesOfSeveralWorkloads(t *testing.T) {
	n := newNamespace(t).testserver("web", 1).testserver("canary", 1)
	kubectl(t, "patch", "deployment", "canary", "-n", n.name, "--type=json", "-p", `[
		{"op": "add", "path": "/spec/template/metadata/labels/part", "value": "all"}]`)
	kubectl(t, "patch", "deployment", "web", "-n", n.name, "--type=json", "-p", `[
		{"op": "add", "path": "/spec/template/metadata/labels/part", "value": "all"}]`)
	kubectl(t, "patch", "service", "web", "-n", n.name, "--type=json", "-p",
		`[{"op": "replace", "path": "/spec/selector", "value": {"part": "all"}}]`)
	n.rolledOut("web")
	n.rolledOut("canary")
	const told = `Service "web" leads to the pods of deployment/canary as well: while the intercept stands, the requests that they would get come to you too`
	_, complaint, code := n.devtun("intercept", "web", "--no-forward")
	require.Equal(t, 9, code, complaint)
	require.Contains(t, complaint, "the requests of all of them come to you then")
	_, complaint, code = n.devtun("intercept", "deploy/web", "--dry-run", "-o", "yaml")
	require.Zero(t, code, complaint)
	require.Contains(t, complaint, told)
	d := n.intercepts(kubeconfig(), "deploy/web")
	d.await("a word about it", soon, func(e event) bool { return e.Type == "note" && e.Message == told })
	d.stop()
}
