package e2e

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/plan"
)

// equipped is the tests' server with an environment and files of all kinds.
const equipped = `
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {COLOUR: blue, MANY_LINES: "one\n two 'quoted' \"twice\" $HOME \\n\nthree\n", "with.dot": dotted}}
- {apiVersion: v1, kind: Secret, metadata: {name: secrets}, stringData: {PASSWORD: "p@ss'\"$(word)` + "`x`" + `", PEM: "-----BEGIN-----\nabc\n-----END-----\n"}}
- {apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web}
  spec:
    selector: {matchLabels: {app: web}}
    template:
      metadata: {labels: {app: web, tier: first}, annotations: {note: "a note"}}
      spec:
        terminationGracePeriodSeconds: 1
        containers:
        - name: server
          image: devtun.test/testserver:dev
          imagePullPolicy: IfNotPresent
          resources: {limits: {cpu: 200m, memory: 64Mi}}
          readinessProbe: {periodSeconds: 1, httpGet: {path: /ready, port: 8080}}
          env:
          - {name: PLAIN, value: "plain = value # not a comment"}
          - {name: EMPTY, value: ""}
          - {name: FROM_ANOTHER, value: "$(PLAIN)!"}
          - {name: FROM_SECRET, valueFrom: {secretKeyRef: {name: secrets, key: PEM}}}
          - {name: NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
          - {name: TIER, valueFrom: {fieldRef: {fieldPath: "metadata.labels['tier']"}}}
          - {name: MEMORY, valueFrom: {resourceFieldRef: {resource: limits.memory}}}
          envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: secrets}, prefix: S_}]
          volumeMounts:
          - {name: settings, mountPath: /etc/settings}
          - {name: secrets, mountPath: /etc/secrets}
          - {name: both, mountPath: /etc/both}
        volumes:
        - {name: settings, configMap: {name: settings}}
        - {name: secrets, secret: {secretName: secrets}}
        - {name: both, projected: {sources: [{configMap: {name: settings, items: [{key: COLOUR, path: deep/colour}]}}, {secret: {name: secrets, items: [{key: PASSWORD, path: password}]}}]}}
`

// ofThePod are variables that are another pod's in the agent, whatever is done:
// its own name and what the runtime and the image set.
var ofThePod = []string{"HOSTNAME", "PATH", "HOME"}

// variables reads NAME=VALUE pairs, NUL between them, but for those of the pod.
func variables(text string) map[string]string {
	found := make(map[string]string)
	for pair := range strings.SplitSeq(strings.TrimSuffix(text, "\x00"), "\x00") {
		name, value, _ := strings.Cut(pair, "=")
		found[name] = value
	}
	for _, name := range ofThePod {
		delete(found, name)
	}
	return found
}

// TestEnvironmentAndFilesOfTheContainer compares what arrives here with what
// kubectl exec shows.
func TestEnvironmentAndFilesOfTheContainer(t *testing.T) {
	environmentAndFiles(t, func(n *namespace) {
		// The kubelet looks at a pod at once that is changed.
		kubectl(t, "annotate", "pods", "-n", n.name, "-l", plan.AgentLabel, "devtun.test/look=now")
	})
}

// environmentAndFiles has hasten make the kubelet look for what has changed.
func environmentAndFiles(t *testing.T, hasten func(*namespace)) {
	n := newNamespace(t)
	n.apply(equipped)
	n.rolledOut("web")
	exec := func(args ...string) string {
		t.Helper()
		return kubectlOut(t, append([]string{"exec", "-n", n.name, "deploy/web", "--", "/testserver"}, args...)...)
	}
	want := variables(exec("env"))
	require.Contains(t, want["MANY_LINES"], "three\n")
	mounted := make(map[string]string) // from before the intercept, which moves the origin's pods
	for _, path := range []string{
		"/etc/settings/COLOUR", "/etc/settings/MANY_LINES", "/etc/settings/with.dot",
		"/etc/secrets/PASSWORD", "/etc/secrets/PEM", "/etc/both/deep/colour", "/etc/both/password",
	} {
		mounted[path] = exec("cat", path)
	}
	dir := t.TempDir()
	sh, asJSON, files := filepath.Join(dir, "env.sh"), filepath.Join(dir, "env.json"), filepath.Join(dir, "mounts")
	d, _, _ := n.interceptWeb("--env-file", sh, "--env-format", "sh", "--env-json", asJSON, "--files", files)

	content, err := os.ReadFile(asJSON)
	require.NoError(t, err)
	var got map[string]string
	require.NoError(t, json.Unmarshal(content, &got))
	for _, name := range ofThePod {
		delete(got, name)
	}
	require.Equal(t, want, got)

	sourced := variables(sourcedBy(t, sh))
	for name, value := range want {
		if !strings.ContainsAny(name, ".-") { // no shell has such a name
			require.Equal(t, value, sourced[name], name)
		}
	}
	for path, content := range mounted {
		here, err := os.ReadFile(filepath.Join(files, path))
		require.NoError(t, err)
		require.Equal(t, content, string(here), path)
	}
	for _, path := range []string{sh, asJSON, files} {
		require.NoError(t, filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
			require.NoError(t, err)
			info, err := entry.Info()
			require.NoError(t, err)
			if entry.IsDir() {
				require.Equal(t, fs.FileMode(0o700), info.Mode().Perm(), path)
			} else {
				require.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), path)
			}
			return nil
		}))
	}

	// A change arrives when the kubelet has it: within its sync period and the time
	// that its cache lasts.
	kubectl(t, "patch", "configmap", "-n", n.name, "settings", "-p", `{"data":{"COLOUR":"red"}}`)
	hasten(n)
	require.Eventually(t, func() bool {
		here, err := os.ReadFile(filepath.Join(files, "/etc/settings/COLOUR"))
		return err == nil && string(here) == "red"
	}, 3*time.Minute, 100*time.Millisecond)

	d.stop()
	for _, path := range []string{sh, asJSON} {
		require.NoFileExists(t, path)
	}
	left, err := os.ReadDir(files)
	require.True(t, os.IsNotExist(err) || len(left) == 0, left)
}

// sourcedBy is the environment of a program that a shell starts after it has read
// a file of exports.
func sourcedBy(t *testing.T, file string) string {
	t.Helper()
	shell := exec.Command("/bin/sh", "-c", `. "$1" && exec env -0`, "sh", file)
	shell.Env = []string{}
	out, err := shell.Output()
	require.NoError(t, err)
	return string(out)
}
