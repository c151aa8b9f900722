package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/devtun/devtun/intercept/plan"
)

// The tests of this file give `devtun intercept` what it cannot work with.

const (
	exitUsage    = 2
	exitRefused  = 9
	exitConflict = 10
)

const (
	// soon bounds a refusal for which nothing has to be waited for but the cluster.
	soon = 20 * time.Second
	// later is for a pod that no node takes: one might be about to be added.
	later = 60 * time.Second
)

// described makes a namespace that holds the examples, whose pods need not run yet.
func described(t *testing.T) *namespace {
	t.Helper()
	n := newNamespace(t)
	kubectl(t, "apply", "-n", n.name, "-f", fewPods(t))
	n.settled()
	return n
}

// fewPods is a copy of examples/manifests with one pod of each workload, and none of
// service-front.
func fewPods(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	files, err := filepath.Glob("../examples/manifests/*.yaml")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		manifest := strings.ReplaceAll(string(text), "\n  replicas: 2\n", "\n  replicas: 1\n")
		if filepath.Base(file) == "service-front.yaml" {
			manifest = strings.Replace(manifest, "kind: Deployment\nmetadata:\n  name: service-front\nspec:\n",
				"kind: Deployment\nmetadata:\n  name: service-front\nspec:\n  replicas: 0\n", 1)
			require.Contains(t, manifest, "replicas: 0")
		}
		require.NoError(t, os.WriteFile(filepath.Join(folder, filepath.Base(file)), []byte(manifest), 0o600))
	}
	return folder
}

// settled waits until the controllers have seen all Deployments, to which they add.
func (n *namespace) settled() {
	n.t.Helper()
	require.EventuallyWithT(n.t, func(c *assert.CollectT) {
		list, err := n.client.AppsV1().Deployments(n.name).List(n.t.Context(), metav1.ListOptions{})
		assert.NoError(c, err)
		for _, d := range list.Items {
			assert.NotEmpty(c, d.Annotations["deployment.kubernetes.io/revision"], d.Name)
		}
	}, soon, pollEvery)
}

// ended runs a devtun that ends by itself, and returns what it printed and its
// exit code.
func ended(t *testing.T, within time.Duration, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	var out, messages bytes.Buffer
	cmd := exec.CommandContext(ctx, devtunPath(), args...)
	cmd.Stdout, cmd.Stderr = &out, &messages
	err := cmd.Run()
	require.NoError(t, ctx.Err(), "devtun %s: still running after %v: %s", strings.Join(args, " "), within,
		messages.String())
	if err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
	}
	return out.String(), messages.String(), cmd.ProcessState.ExitCode()
}

// complained wants stderr to end with one error and one hint; notes and progress
// may come before.
func complained(t *testing.T, stderr string) (message, hint string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	require.GreaterOrEqual(t, len(lines), 2, stderr)
	message, isError := strings.CutPrefix(lines[len(lines)-2], "devtun: error: ")
	hint, isHint := strings.CutPrefix(lines[len(lines)-1], "hint: ")
	require.True(t, isError && isHint, stderr)
	require.Equal(t, 1, strings.Count(stderr, "devtun: error: "), stderr)
	return message, hint
}

// badInput is one thing that cannot be intercepted.
type badInput struct {
	about         string
	args          []string // after `devtun intercept`
	within        time.Duration
	code          int
	message, hint string // parts of them
}

// refusesIntercept has devtun refuse, and wants the namespace to be as it was.
func (n *namespace) refusesIntercept(kubeconfig string, c badInput) {
	n.t.Run(c.about, func(t *testing.T) {
		objects, on := dynamicClient(t), &namespace{t: t, client: n.client, name: n.name}
		before, err := n.objects(t.Context(), objects)
		require.NoError(t, err)
		within := c.within
		if within == 0 {
			within = soon
		}
		args := append([]string{"intercept", "--kubeconfig", kubeconfig, "-n", n.name, "--no-forward"}, c.args...)
		_, stderr, code := ended(t, within, args...)
		message, hint := complained(t, stderr)
		require.Equal(t, c.code, code, stderr)
		require.Contains(t, message, c.message)
		require.Contains(t, hint, c.hint)
		on.asBefore(objects, before, c.about)
		t.Logf("%s\n%s", message, hint)
	})
}

func TestInterceptBadNames(t *testing.T) {
	t.Parallel()
	n := described(t).testserver("web", 0)
	n.settled()
	in := fmt.Sprintf(" in namespace %q", n.name)
	for _, c := range []badInput{
		{about: "unknown name", args: []string{"service-midle"}, code: exitNotFound,
			message: `no Service or workload "service-midle"` + in, hint: "did you mean service-middle?"},
		{about: "unknown service", args: []string{"svc/nothing"}, code: exitNotFound, message: `no Service "nothing"` + in,
			hint: "there are service-back, "},
		{about: "unknown workload", args: []string{"deploy/service-bakc"}, code: exitNotFound,
			message: `no Deployment "service-bakc"` + in, hint: "did you mean service-back?"},
		{about: "no name", args: []string{"pod/"}, code: exitUsage,
			message: `"pod/" is not the name of a service or workload`, hint: "svc/NAME"},
		{about: "unknown pod", args: []string{"pod/nothing-here"}, code: exitNotFound,
			message: `no pod "nothing-here"` + in, hint: "there are "},
		{about: "unknown container", args: []string{"service-middle", "--container", "sidecar"}, code: exitNotFound,
			message: `no container "sidecar"`, hint: "there are service-middle"},
		{about: "no selector", args: []string{"service-manual"}, code: exitRefused,
			message: `Service "service-manual" has no selector`, hint: "name the workload behind it"},
		{about: "an alias", args: []string{"service-external"}, code: exitRefused,
			message: `Service "service-external" is an alias of service.example.com`, hint: "name a service with pods"},
		{about: "UDP alone", args: []string{"service-udp"}, code: exitRefused,
			message: `Service "service-udp" has no TCP port`, hint: "UDP"},
		{about: "no such port", args: []string{"service-middle", "--port", "3000:9090"}, code: exitNotFound,
			message: `no TCP port "9090"`, hint: "there are service-middle:8080 (http)"},
		{about: "no such port's name", args: []string{"service-middle", "--port", "3000:grpc"}, code: exitNotFound,
			message: `no TCP port "grpc"`, hint: "there are service-middle:8080 (http)"},
		{about: "no local port", args: []string{"service-middle", "--port", "x:http"}, code: exitUsage,
			message: `parse --port "x:http"`, hint: "write LOCAL:PORT"},
		{about: "one local port for two", args: []string{"web", "--port", "3000:p80", "--port", "3000:p9000"},
			code: exitUsage, message: "ports 8080 and 9000 of the container are both to go to localhost:3000",
			hint: "give each its own local port"},
		{about: "two local ports for one", args: []string{"web", "--port", "3000:p80", "--port", "3001:p80"},
			code: exitUsage, message: "port 8080 of the container is to go to both localhost:3000 and localhost:3001",
			hint: "name it once"},
		{about: "unknown namespace", args: []string{"service-middle", "-n", n.name + "x"}, code: exitUsage,
			message: "works in one --namespace", hint: "give one"},
	} {
		n.refusesIntercept(kubeconfig(), c)
	}
}

// quota leaves nothing of a resource, and is in force when it returns.
func (n *namespace) quota(resource string) {
	n.t.Helper()
	n.apply(fmt.Sprintf(`{apiVersion: v1, kind: ResourceQuota, metadata: {name: none}, spec: {hard: {%s: 1}}}`, resource))
	require.EventuallyWithT(n.t, func(c *assert.CollectT) {
		quota, err := n.client.CoreV1().ResourceQuotas(n.name).Get(n.t.Context(), "none", metav1.GetOptions{})
		assert.NoError(c, err)
		assert.NotEmpty(c, quota.Status.Hard)
		assert.NotEmpty(c, quota.Status.Used)
	}, soon, pollEvery)
}

// TestInterceptNamesTaken finds what it would make there already.
func TestInterceptNamesTaken(t *testing.T) {
	t.Parallel()
	n := described(t)
	for _, c := range []struct {
		about, kind, name, rest string // of what is there
		message, hint           string
	}{
		{"an agent of another version", "ConfigMap", "devtun-service-middle",
			`labels: {devtun.dev/intercept: service-middle}}, data: {plan.json: '{"version": 99, "name": "service-middle"}'}`,
			": an intercept of another devtun stands there: its plan has version 99",
			"use a devtun of the version that made it"},
		{"a ConfigMap", "ConfigMap", "devtun-service-middle", `}, data: {mine: "1"}`, " is there already, and not devtun's",
			"rename or delete it"},
		{"a ServiceAccount", "ServiceAccount", "devtun-service-middle", "}", " is there already, and not devtun's",
			"rename or delete it"},
		{"a Service", "Service", "devtun-origin-service-middle", "}, spec: {ports: [{port: 80}]}",
			" is there already, and not devtun's", "rename or delete it"},
		{"a Deployment", "Deployment", "devtun-service-middle",
			`}, spec: {replicas: 0, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: "devtun.test/testserver:dev"}]}}}`,
			" is there already, and not devtun's", "rename or delete it"},
	} {
		group := "v1"
		if c.kind == "Deployment" {
			group = "apps/v1"
		}
		n.apply(fmt.Sprintf("{apiVersion: %s, kind: %s, metadata: {name: %s, %s}", group, c.kind, c.name, c.rest))
		n.settled()
		n.refusesIntercept(kubeconfig(), badInput{about: c.about, args: []string{"service-middle"}, code: exitRefused,
			message: fmt.Sprintf("%s %q%s", c.kind, c.name, c.message), hint: c.hint})
		kubectl(t, "delete", c.kind, "-n", n.name, c.name)
	}
}

// TestInterceptWhileTheNamespaceGoes is refused by whoever may see that it does,
// and by the API server to others.
func TestInterceptWhileTheNamespaceGoes(t *testing.T) {
	t.Parallel()
	n := described(t)
	n.apply(`{apiVersion: v1, kind: ConfigMap, metadata: {name: stays, finalizers: [devtun.test/stays]}}`)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		n.client.CoreV1().ConfigMaps(n.name).Patch(ctx, "stays", types.MergePatchType,
			[]byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	})
	kubectl(t, "delete", "namespace", n.name, "--wait=false")
	_, stderr, code := ended(t, soon, "intercept", "--kubeconfig", kubeconfig(), "-n", n.name, "--no-forward",
		"service-middle")
	message, hint := complained(t, stderr)
	require.Equal(t, exitRefused, code, stderr)
	require.Equal(t, fmt.Sprintf("Namespace %q is being deleted", n.name), message)
	require.Contains(t, hint, "wait until it is gone")
	left, err := n.client.CoreV1().ConfigMaps(n.name).List(t.Context(),
		metav1.ListOptions{LabelSelector: plan.InterceptLabel})
	require.NoError(t, err)
	require.Empty(t, left.Items)
}

// TestInterceptMissingRights has all that is missing named at once.
func TestInterceptMissingRights(t *testing.T) {
	t.Parallel()
	n := described(t)
	nothing := userConfig(t, &clientcmdapi.AuthInfo{Token: n.user("nothing")})
	reading := userConfig(t, &clientcmdapi.AuthInfo{Token: n.user("reading",
		allow("services", "list"), allow("configmaps", "list"), allow("deployments.apps", "list"),
		allow("statefulsets.apps", "list"))})
	n.settled()
	for _, c := range []badInput{
		{about: "all", code: exitRights, message: "rights are missing in namespace " + n.name +
			": list services, list configmaps, list deployments.apps, ", hint: "'devtun rbac intercept'"},
		{about: "some", code: exitRights, message: "rights are missing in namespace " + n.name +
			": get deployments.apps, list pods, watch pods, create pods/portforward, ", hint: "'devtun rbac intercept'"},
	} {
		config := map[string]string{"all": nothing, "some": reading}[c.about]
		for mode, flag := range map[string]string{"divert": "--replace=false", "replace": "--replace"} {
			c := c
			c.about, c.args = c.about+", "+mode, []string{"service-middle", flag}
			c.hint = "'devtun rbac " + map[string]string{"divert": "intercept", "replace": "replace"}[mode] + "'"
			n.refusesIntercept(config, c)
		}
	}
}
