package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/devtun/devtun/intercept/target"
)

// idle is a Deployment that no Service leads to, and that has no pods now. Its image is
// from scratch.
const idle = `
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {COLOUR: blue, config.yaml: "colour: blue\n"}}
- {apiVersion: v1, kind: Secret, metadata: {name: secrets}, stringData: {PASSWORD: "p@ss'$(word)"}}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: worker}
  spec:
    replicas: 0
    selector: {matchLabels: {app: worker}}
    template:
      metadata: {labels: {app: worker}}
      spec:
        containers:
        - {name: sidecar, image: devtun.test/testserver:dev, imagePullPolicy: IfNotPresent, env: [{name: WHO, value: sidecar}]}
        - name: main
          image: devtun.test/testserver:dev
          imagePullPolicy: IfNotPresent
          env:
          - {name: WHO, value: main}
          - {name: PASSWORD, valueFrom: {secretKeyRef: {name: secrets, key: PASSWORD}}}
          envFrom: [{configMapRef: {name: settings}}]
          volumeMounts: [{name: settings, mountPath: /etc/worker}]
        volumes: [{name: settings, configMap: {name: settings}}]
`

// worker runs that workload in a namespace that enforces Pod Security "restricted".
func (n *namespace) worker() *namespace {
	n.t.Helper()
	n.apply(idle)
	kubectl(n.t, "label", "namespace", n.name, "pod-security.kubernetes.io/enforce=restricted")
	return n
}

// nothingLeft waits until nothing is left of what handed over.
func (n *namespace) nothingLeft(timeout time.Duration) {
	n.t.Helper()
	require.EventuallyWithT(n.t, func(c *assert.CollectT) {
		assert.Empty(c, kubectl(n.t, "get", "-n", n.name, "jobs,pods,configmaps,serviceaccounts,roles,rolebindings", "-l",
			"app.kubernetes.io/managed-by=devtun", "-o", "name"))
	}, timeout, pollEvery)
}

// TestRunAs has a command see what a container would, as a user with the Role for it and no
// more, and changes nothing.
func TestRunAs(t *testing.T) {
	t.Parallel()
	n, objects := newNamespace(t).worker(), dynamicClient(t)
	config := userConfig(t, &clientcmdapi.AuthInfo{
		Token: n.user("runner", append(target.Rules(target.HandOverRights()), enough...)...)})
	before, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	dir := t.TempDir()
	out, complaint, code := n.devtun("run", "--kubeconfig", config, "--as", "deploy/worker", "--container", "main",
		"--files", filepath.Join(dir, "mounts"), "--", "sh", "-c",
		`echo "$WHO $COLOUR $PASSWORD $HOME"; cat "$1"/mounts/etc/worker/config.yaml`, "sh", dir)
	require.Zero(t, code, complaint)
	require.Equal(t, "main blue p@ss'$(word) "+os.Getenv("HOME")+"\ncolour: blue\n", out, complaint)
	require.Regexp(t, `(?m)^environment and files of Deployment "worker", container main: \d+ variables, 2 files$`,
		complaint)
	require.NoDirExists(t, filepath.Join(dir, "mounts"))
	n.nothingLeft(time.Minute)
	n.asBefore(objects, before, "nothing is changed")
	require.Empty(t, strings.TrimSpace(kubectl(t, "get", "pods", "-n", n.name, "-o", "name")))
}

// TestRunAsKilled leaves nothing, whatever devtun has done by then: all is handed over and
// the Job is to be deleted.
func TestRunAsKilled(t *testing.T) {
	t.Parallel()
	n, objects, reaper := newNamespace(t).worker(), dynamicClient(t), newReaper(t)
	before, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	parts := n.handOverParts()
	n.nothingLeft(time.Minute)
	n.killedRunAs(reaper, 1+parts+1)
	n.nothingLeft(time.Minute)
	n.asBefore(objects, before, reaper.cause())
}

// killedRunAs runs a devtun that dies of its kth change.
func (n *namespace) killedRunAs(reaper *reaper, k int) {
	n.t.Helper()
	d := reaper.launchPlain(k, "run", "-n", n.name, "--as", "deploy/worker", "--", "true")
	code, stderr := d.ends()
	require.Equal(n.t, -1, code, "%s: %s", reaper.cause(), stderr)
}

// handOverParts runs to the end, and returns in how many ConfigMaps the agent came.
func (n *namespace) handOverParts() int {
	n.t.Helper()
	_, complaint, code := n.devtun("run", "--as", "deploy/worker", "--", "true")
	require.Zero(n.t, code, complaint)
	found := regexp.MustCompile(`its program from (\d+) ConfigMaps`).FindStringSubmatch(complaint)
	require.Len(n.t, found, 2, complaint)
	count, err := strconv.Atoi(found[1])
	require.NoError(n.t, err)
	return count
}

// TestRunAsRefused names what is wrong, and leaves nothing.
func TestRunAsRefused(t *testing.T) {
	t.Parallel()
	n, objects := newNamespace(t).worker(), dynamicClient(t)
	n.apply(`
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Service, metadata: {name: alone}, spec: {selector: {app: nobody}, ports: [{port: 80}]}}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: lacking}
  spec:
    replicas: 0
    selector: {matchLabels: {app: lacking}}
    template:
      metadata: {labels: {app: lacking}}
      spec: {containers: [{name: main, image: devtun.test/testserver:dev, envFrom: [{secretRef: {name: nowhere}}]}]}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: unpulled}
  spec:
    replicas: 0
    selector: {matchLabels: {app: unpulled}}
    template:
      metadata: {labels: {app: unpulled}}
      spec: {containers: [{name: main, image: devtun.test/nowhere:dev, imagePullPolicy: Never}]}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: nowhere}
  spec:
    replicas: 0
    selector: {matchLabels: {app: nowhere}}
    template:
      metadata: {labels: {app: nowhere}}
      spec: {nodeSelector: {kubernetes.io/arch: riscv64}, containers: [{name: main, image: devtun.test/testserver:dev}]}
`)
	n.settled()
	nothing := userConfig(t, &clientcmdapi.AuthInfo{Token: n.user("nothing", enough...)})
	before, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	for _, c := range []struct {
		about         string
		args          []string
		code          int
		message, hint string
	}{
		{"no such workload", []string{"--as", "deploy/workr"}, exitNotFound, `no Deployment "workr" in namespace`,
			"did you mean worker?"},
		{"no such container", []string{"--as", "deploy/worker", "--container", "mian"}, exitNotFound,
			`no container "mian" in Deployment "worker"`, "did you mean main?"},
		{"a service of no workload", []string{"--as", "svc/alone"}, exitRefused,
			`Service "alone" selects the pods of no workload`, "name a workload"},
		{"a Secret that is missing", []string{"--as", "deploy/lacking"}, exitRefused,
			`the agent's container cannot be made: secret "nowhere" not found`, "they must be there"},
		{"an image that is missing", []string{"--as", "deploy/unpulled"}, exitRefused,
			`the agent's image cannot be pulled: devtun.test/nowhere:dev`, "can the workload itself start a pod now?"},
		{"another architecture", []string{"--as", "deploy/nowhere"}, exitRefused, `riscv64`, "amd64 and arm64"},
		{"no rights", []string{"--as", "deploy/worker", "--kubeconfig", nothing}, exitRights,
			"rights are missing in namespace " + n.name + ": ", "'devtun rbac run-as' prints the Role"},
	} {
		t.Run(c.about, func(t *testing.T) {
			_, stderr, code := n.devtun("run", append(c.args, "--", "false")...)
			message, hint := complained(t, stderr)
			require.Equal(t, c.code, code, stderr)
			require.Contains(t, message, c.message)
			require.Contains(t, hint, c.hint)
			t.Logf("%s\n%s", message, hint)
		})
	}
	n.nothingLeft(time.Minute)
	n.asBefore(objects, before, "nothing is changed")

	n.apply(`{apiVersion: v1, kind: ResourceQuota, metadata: {name: none}, spec: {hard: {pods: "0"}}}`)
	require.Eventually(t, func() bool {
		return kubectl(t, "get", "quota", "none", "-n", n.name, "-o", "jsonpath={.status.hard.pods}") == "0"
	}, soon, pollEvery)
	_, stderr, code := n.devtun("run", "--as", "deploy/worker", "--", "false")
	message, hint := complained(t, stderr)
	require.Equal(t, exitRefused, code, stderr)
	require.Contains(t, message, "the namespace's quota leaves no room for the agent: ")
	require.Contains(t, hint, "kubectl describe quota")
	n.nothingLeft(time.Minute)
}

// TestUpWritesAnEnvironment and the files of a container, and removes them in the end.
func TestUpWritesAnEnvironment(t *testing.T) {
	t.Parallel()
	n, objects := newNamespace(t).worker(), dynamicClient(t)
	before, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	f := newProject(t, n)
	const main = "env:\n- {workload: deploy/worker, container: main, envFile: .env, files: ./mounts}\n"
	f.file(main)
	f.must("up", "--detach")
	read := func(name string) string {
		content, err := os.ReadFile(filepath.Join(f.path, name))
		require.NoError(t, err)
		return string(content)
	}
	require.Contains(t, read(".env"), "WHO=")
	require.Contains(t, read(".env"), "COLOUR=")
	require.Equal(t, "colour: blue\n", read("mounts/etc/worker/config.yaml"))
	n.nothingLeft(time.Minute)
	n.asBefore(objects, before, "nothing is changed")

	f.file(main + "- {workload: deploy/worker, container: sidecar, envJson: sidecar.json}\n")
	require.Contains(t, f.must("up", "--detach"), "changed: environment of deploy/worker, container sidecar is new\n")
	require.Contains(t, read("sidecar.json"), `"WHO": "sidecar"`)
	f.file("env:\n- {workload: deploy/worker, container: sidecar, envJson: sidecar.json}\n")
	require.Contains(t, f.must("up", "--detach"), "changed: environment of deploy/worker, container main is gone\n")
	require.NoFileExists(t, filepath.Join(f.path, ".env"))
	require.NoDirExists(t, filepath.Join(f.path, "mounts"))
	f.must("down")
	require.NoFileExists(t, filepath.Join(f.path, "sidecar.json"))
	n.nothingLeft(time.Minute)
}
