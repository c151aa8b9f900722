package e2e

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/plan"
)

// The tests of this file are about a workload that no Service leads to.

// worker is one that takes its work elsewhere.
const worker = `
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {queue: "jobs"}}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: worker}
  spec:
    selector: {matchLabels: {app: worker}}
    template:
      metadata: {labels: {app: worker}}
      spec:
        terminationGracePeriodSeconds: 1
        containers:
        - name: worker
          image: devtun.test/testserver:dev
          imagePullPolicy: IfNotPresent
          env: [{name: QUEUE, valueFrom: {configMapKeyRef: {name: settings, key: queue}}}]
          volumeMounts: [{name: settings, mountPath: /etc/settings}]
        volumes: [{name: settings, configMap: {name: settings}}]
`

func newWorker(t *testing.T) *namespace {
	t.Helper()
	n := newNamespace(t)
	n.apply(worker)
	n.rolledOut("worker")
	return n
}

// TestWorkerIsReplaced: the command runs in its place, with its environment and files,
// and once its pods have ended.
func TestWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	n, objects, dir := newWorker(t), dynamicClient(t), t.TempDir()
	before, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	out, complaint, code := ended(t, standTimeout, "intercept", "deploy/worker", "--replace", "--kubeconfig",
		kubeconfig(),
		"-n", n.name, "--no-forward", "--files", dir+"/files", "--", "sh", "-c", `
echo "$QUEUE $(cat "$1/files/etc/settings/queue")"
"$0" --kubeconfig "$2" -n "$3" get pods --field-selector status.phase=Running -l '!`+plan.AgentLabel+`' -o name
exit 7`, kubectlPath(t), dir, kubeconfig(), n.name)
	require.Equal(t, 7, code, complaint)
	require.Equal(t, "jobs jobs\n", out, "and no pod of the workload's own is there")
	require.Contains(t, complaint, `Deployment "worker" is scaled to zero meanwhile; no Service leads to it`)
	require.Regexp(t, `(?m)^intercepting: Deployment "worker" in [0-9.]+s$`, complaint)
	require.Regexp(t, `(?m)^restored: Deployment "worker"$`, complaint)
	n.asBefore(objects, before, "the command has ended")
	n.rolledOut("worker")
}

// TestWorkerComesBack in every way in which an intercept ends.
func TestWorkerComesBack(t *testing.T) {
	for about, end := range map[string]func(t *testing.T, n *namespace, d *devtun){
		"Ctrl-C": func(t *testing.T, _ *namespace, d *devtun) {
			code, stderr := d.gives()
			require.Zero(t, code, stderr)
		},
		"killed and restored by the agent": func(_ *testing.T, _ *namespace, d *devtun) { d.dies() },
		"killed and restored by another": func(t *testing.T, n *namespace, d *devtun) {
			d.dies()
			_, stderr, code := n.devtun("restore", "worker")
			require.Zero(t, code, stderr)
		},
		"the plan is deleted": func(t *testing.T, n *namespace, d *devtun) {
			kubectl(t, "delete", "configmap", "devtun-worker", "-n", n.name)
			code, stderr := d.ends()
			require.Equal(t, exitRefused, code, stderr)
		},
		"killed and all but the workload deleted": func(t *testing.T, n *namespace, d *devtun) {
			d.dies()
			kubectl(t, "delete", "pods", "-n", n.name, "-l", plan.AgentLabel, "--force", "--grace-period=0")
			kubectl(t, "delete", "serviceaccount,configmap", "devtun-worker", "-n", n.name)
			_, stderr, code := n.devtun("restore")
			if code != exitNotFound { // an agent that was to stop has done it
				require.Zero(t, code, stderr)
			}
		},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			n, objects := newWorker(t), dynamicClient(t)
			before, err := n.objects(t.Context(), objects)
			require.NoError(t, err)
			d := n.intercepts(kubeconfig(), "deploy/worker", "--replace", "--grace", "5s")
			listed, stderr, code := n.devtun("list")
			require.Zero(t, code, stderr)
			require.Regexp(t, `(?m)^worker +- +replace +\S+ +\S+ +\S+ \S+ +everything +yes +0 +none +-$`, listed)
			end(t, n, d)
			n.asBefore(objects, before, about)
		})
	}
}

// TestWorkerRefusals say what can be done.
func TestWorkerRefusals(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.apply(worker)
	for _, c := range []badInput{
		{about: "no Service", args: []string{"deploy/worker"}, code: exitRefused,
			message: `Deployment "worker" has no Service with a TCP port that leads to its pods`,
			hint:    "with --replace the process here runs in its place; make a Service that selects its pods; 'devtun run"},
		{about: "no Service, a port", args: []string{"deploy/worker", "--port", "80"}, code: exitRefused,
			message: `Deployment "worker" has no Service with a TCP port that leads to its pods`},
		{about: "replaced, a port", args: []string{"deploy/worker", "--replace", "--port", "80"}, code: exitUsage,
			message: `--port is about requests, and no Service with a TCP port leads to Deployment "worker"`,
			hint:    "leave it out: the process here runs in place of the workload, with its environment and files"},
		{about: "replaced, a host", args: []string{"deploy/worker", "--replace", "--to", "localhost"}, code: exitUsage,
			message: "--to is about requests"},
		{about: "replaced, a rule", args: []string{"deploy/worker", "--replace", "--personal"}, code: exitUsage,
			message: "with --replace no pods are left"},
	} {
		c.within = soon
		n.refusesIntercept(kubeconfig(), c)
	}
}

// TestWorkerOfAProject is replaced by 'devtun up'.
func TestWorkerOfAProject(t *testing.T) {
	t.Parallel()
	n, objects := newWorker(t), dynamicClient(t)
	before, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	f := newProject(t, n)
	f.file("noForward: true\nintercepts: [{workload: deploy/worker, replace: true, envFile: .env}]\n")
	out, stderr, code := f.run("up", "--detach")
	require.Zero(t, code, stderr)
	require.Contains(t, out, `intercepting: Deployment "worker" in `)
	env, err := os.ReadFile(f.path + "/.env")
	require.NoError(t, err)
	require.Contains(t, string(env), "QUEUE=jobs")
	out, stderr, code = f.run("status")
	require.Zero(t, code, stderr)
	require.Regexp(t, `(?m)^deployment/worker +standing +replace +1 +proxy +- +0 +0 +0 +0 +-$`, out)
	_, stderr, code = f.run("down")
	require.Zero(t, code, stderr)
	n.asBefore(objects, before, "up has ended")
}
