package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/intercept/plan"
)

// The tests of this file have the agent's program come with the plan, and run in images
// that know nothing of it: there is no registry, and no image of devtun's is named.

// everyKind is what `kubectl get` shows of a namespace that an intercept may touch.
const everyKind = "all,configmap,secret,role,rolebinding,serviceaccount"

// inventory is what `kubectl get` has of the namespace, without what every write changes. Pods
// are left out where they are to be others in the end.
func (n *namespace) inventory(pods bool) string {
	n.t.Helper()
	var all struct{ Items []map[string]any }
	require.NoError(n.t, json.Unmarshal([]byte(kubectlOut(n.t, "get", everyKind, "-n", n.name, "-o", "json")), &all))
	all.Items = slices.DeleteFunc(all.Items, func(o map[string]any) bool { return o["kind"] == "Pod" && !pods })
	for _, o := range all.Items {
		delete(o, "status")
		for _, field := range []string{"resourceVersion", "generation", "managedFields"} {
			delete(o["metadata"].(map[string]any), field)
		}
	}
	text, err := json.MarshalIndent(all.Items, "", " ")
	require.NoError(n.t, err)
	return string(text)
}

// interceptsWeb has service web intercepted whole, personally and by a replacement: those
// that are asked for. Each is answered here, by agents in the image of web's own container,
// and leaves nothing behind.
func (n *namespace) interceptsWeb(modes ...string) {
	n.t.Helper()
	web, err := n.client.AppsV1().Deployments(n.name).Get(n.t.Context(), "web", metav1.GetOptions{})
	require.NoError(n.t, err)
	origin := web.Spec.Template.Spec.Containers[0].Image
	for _, mode := range modes {
		before := n.inventory(mode != "--replace")
		args := append(newNamedProcess(n.t, "ann").flags(), mode)
		d, agent, _ := n.interceptWeb(args...)
		require.Equal(n.t, origin, agent.Spec.Containers[0].Image, mode)
		require.Len(n.t, n.parts(), partsOf(agent), "no more than it needs")
		n.answered("ann", "ann")
		if mode == personally {
			n.answered("", originSays)
		} else {
			n.answered("", "ann")
		}
		d.stop()
		n.noAgents()
		n.rolledOut("web")
		n.answered("ann", originSays)
		require.EventuallyWithT(n.t, func(c *assert.CollectT) {
			assert.JSONEq(c, before, n.inventory(mode != "--replace"))
		}, time.Minute, pollEvery, mode)
	}
}

const personally = "--personal=ann"

// parts are the ConfigMaps that the agent's program comes in, by name.
func (n *namespace) parts() map[string]corev1.ConfigMap {
	n.t.Helper()
	found, err := n.client.CoreV1().ConfigMaps(n.name).List(n.t.Context(), metav1.ListOptions{
		LabelSelector: plan.ProgramLabel})
	require.NoError(n.t, err)
	parts := make(map[string]corev1.ConfigMap)
	for _, part := range found.Items {
		parts[part.Name] = part
	}
	return parts
}

// partsOf counts those that an agent's pod mounts.
func partsOf(agent corev1.Pod) (count int) {
	for _, volume := range agent.Spec.Volumes {
		if volume.Name != "devtun-program" {
			continue
		}
		for _, source := range volume.Projected.Sources {
			if source.ConfigMap != nil {
				count++
			}
		}
	}
	return count
}

func TestAgentRunsInADebianLikeImage(t *testing.T) {
	reference := loadImage(t, "debian-like", debianLike(t))
	n := newNamespace(t).testserverIn("web", 1, func(pod *corev1.PodSpec) { pod.Containers[0].Image = reference })
	n.interceptsWeb("--replace=false", personally, "--replace")
}

// TestAgentRunsAsAnotherUser: whoever the image, and the workload, say that runs there.
func TestAgentRunsAsAnotherUser(t *testing.T) {
	yes, user := true, int64(1000)
	for name, c := range map[string]struct {
		user   string
		change func(*corev1.PodSpec)
	}{
		"root":     {"", func(*corev1.PodSpec) {}},
		"a number": {"12345:54321", func(*corev1.PodSpec) {}},
		"a name": {"app", func(pod *corev1.PodSpec) {
			// A name alone does not say that it is not root's.
			pod.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: &yes, RunAsUser: &user}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := newImage(t, v1.Config{User: c.user, Entrypoint: []string{"/testserver"}}, func(r *rootFiles) {
				withTestserver(r)
				r.folder("etc", 0o755, 0)
				r.file("etc/passwd", "app:x:1000:1000::/:/bin/sh\n", 0o644)
			})
			reference := loadImage(t, "user-"+strings.ReplaceAll(name, " ", "-"), made)
			n := newNamespace(t).testserverIn("web", 1, func(pod *corev1.PodSpec) {
				pod.Containers[0].Image = reference
				c.change(pod)
			})
			n.interceptsWeb("--replace=false")
		})
	}
}

// TestAgentRunsWhereRestrictedIsEnforced, with a root file system that is not to be written.
func TestAgentRunsWhereRestrictedIsEnforced(t *testing.T) {
	yes, no := true, false
	n := newNamespace(t)
	kubectl(t, "label", "namespace", n.name, "pod-security.kubernetes.io/enforce=restricted")
	n.testserverIn("web", 1, func(pod *corev1.PodSpec) {
		pod.SecurityContext = &corev1.PodSecurityContext{
			RunAsNonRoot: &yes, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		}
		pod.Containers[0].SecurityContext = &corev1.SecurityContext{
			AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}
	})
	n.interceptsWeb("--replace=false", "--replace")
}

// TestAgentNeedsNoRegistry: the workload's pods are always pulled anew, and what they were
// pulled from is no longer there.
func TestAgentNeedsNoRegistry(t *testing.T) {
	made := newImage(t, v1.Config{User: "1000", Entrypoint: []string{"/testserver"}}, withTestserver)
	registry, end := serveHereAndThere(t, localCluster(t).NodePID())
	reference := pushImage(t, registry+"/team/web:v1", made)
	n := newNamespace(t).testserverIn("web", 1, func(pod *corev1.PodSpec) {
		pod.Containers[0].Image, pod.Containers[0].ImagePullPolicy = reference, corev1.PullAlways
	})
	end()
	n.interceptsWeb("--replace=false", personally)
}

// TestInterceptsShareTheProgram: one copy for all of a namespace, which goes with the last.
func TestInterceptsShareTheProgram(t *testing.T) {
	n := newNamespace(t).testserver("web", 1).testserver("other", 1)
	before := n.trace()
	ids := func() (ids []string) {
		for _, part := range n.parts() {
			require.True(t, *part.Immutable)
			ids = append(ids, fmt.Sprintf("%s %s %d", part.Name, part.UID, len(part.OwnerReferences)))
		}
		slices.Sort(ids)
		return ids
	}
	owned := func(ids []string, by string) (all []string) {
		for _, id := range ids {
			all = append(all, id[:strings.LastIndexByte(id, ' ')+1]+by)
		}
		return all
	}
	const grace = "--grace=20s" // a quarter of which is how often it is looked after
	d, _, _ := n.interceptWeb(grace)
	first := ids()
	require.NotEmpty(t, first)
	other := launch(t, exec.Command(devtunPath(), "intercept", "other", "--kubeconfig", kubeconfig(), "-n", n.name, "-o",
		"json", "--no-forward", grace))
	other.await("the other intercept", time.Minute, standing)
	require.Equal(t, owned(first, "2"), ids(), "the same parts")

	d.stop()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Equal(c, first, ids(), "who is left keeps them")
	}, time.Minute, pollEvery)

	gone := strings.Fields(first[0])[0]
	require.NoError(t, n.client.CoreV1().ConfigMaps(n.name).Delete(t.Context(), gone, metav1.DeleteOptions{}))
	warning := other.await("a warning", time.Minute, func(e event) bool { return strings.Contains(e.Message, gone) })
	require.Equal(t, fmt.Sprintf("somebody else has deleted ConfigMap %q: devtun has recreated it", gone),
		warning.Message)
	require.Len(t, ids(), len(first))

	other.stop()
	n.noAgents()
	n.asTraced(before)
}

// TestAgentStartsAnewWhileTheDeveloperIsAway: nothing of this machine's is needed for it.
func TestAgentStartsAnewWhileTheDeveloperIsAway(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	before := n.trace()
	d, agent, _ := n.interceptWeb(append(newNamedProcess(t, "ann").flags(), "--grace=1h")...)
	n.answered("", "ann")
	killHard(t, d.cmd.Process.Pid)
	d.forgotten()
	require.NoError(t, n.client.CoreV1().Pods(n.name).Delete(t.Context(), agent.Name, metav1.DeleteOptions{}))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		agents, err := n.client.AppsV1().Deployments(n.name).Get(t.Context(), "devtun-web", metav1.GetOptions{})
		require.NoError(c, err)
		assert.Equal(c, *agents.Spec.Replicas, agents.Status.AvailableReplicas)
		_, err = n.client.CoreV1().Pods(n.name).Get(t.Context(), agent.Name, metav1.GetOptions{})
		assert.True(c, apierrors.IsNotFound(err), err)
	}, time.Minute, pollEvery)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		said, err := n.askHTTP(http1, true)(t.Context(), "")
		assert.NoError(c, err)
		assert.Contains(c, said, originSays)
	}, time.Minute, pollEvery)
	_, complaint, code := n.devtun("restore", "web")
	require.Zero(t, code, complaint)
	n.noAgents()
	n.asTraced(before)
}
