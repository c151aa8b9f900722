package e2e

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// wellDescribed is the tests' server with what the downward API tells of it, and with
// what may be missing.
var wellDescribed = `
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {COLOUR: blue, LINES: "one\ntwo\n", "with.dot": dotted, "with-dash": dashed, ODD: "a  'b' \"c\" $D ${E} \\ #f = ü"}, binaryData: {raw: AAEC/w==}}
- {apiVersion: v1, kind: Secret, metadata: {name: secrets}, stringData: {PASSWORD: "p@ss'\"$(word)` + "`x`" + `\\"}}
- {apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web}
  spec:
    selector: {matchLabels: {app: web}}
    template:
      metadata: {labels: {app: web, tier: first}, annotations: {note: "a \"note\"\nof two lines", example.com/owner: ann}}
      spec:
        terminationGracePeriodSeconds: 1
        securityContext: {fsGroup: 3000}
        containers:
        - name: server
          image: devtun.test/testserver:dev
          imagePullPolicy: IfNotPresent
          resources: {requests: {cpu: 10m}, limits: {cpu: 1500m, memory: 64Mi}}
          readinessProbe: {periodSeconds: 1, httpGet: {path: /ready, port: 8080}}
          env:
          - {name: NOTE, valueFrom: {fieldRef: {fieldPath: "metadata.annotations['note']"}}}
          - {name: ACCOUNT, valueFrom: {fieldRef: {fieldPath: spec.serviceAccountName}}}
          - {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
          - {name: MILLIS, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}
          - {name: MEBIBYTES, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}
          - {name: ASKED, valueFrom: {resourceFieldRef: {resource: requests.memory}}}
          - {name: ONE_KEY, valueFrom: {configMapKeyRef: {name: settings, key: with-dash}}}
          - {name: MISSING, valueFrom: {configMapKeyRef: {name: nowhere, key: none, optional: true}}}
          - {name: PASSWORD, value: "overrides, and $(ONE_KEY) is expanded, $$(ONE_KEY) and $(UNKNOWN) are not"}
          - {name: LONG, value: "` + longValue + `"}
          envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: secrets}}, {configMapRef: {name: nowhere, optional: true}}]
          volumeMounts:
          - {name: settings, mountPath: /etc/settings}
          - {name: settings, mountPath: /etc/one/colour, subPath: COLOUR}
          - {name: nowhere, mountPath: /etc/nowhere}
          - {name: narrow, mountPath: /etc/narrow}
          - {name: about, mountPath: /etc/about}
          - {name: both, mountPath: /etc/both}
        volumes:
        - {name: settings, configMap: {name: settings}}
        - {name: nowhere, secret: {secretName: nowhere, optional: true}}
        - {name: narrow, secret: {secretName: secrets, defaultMode: 0400}}
        - name: about
          downwardAPI:
            items:
            - {path: tier, fieldRef: {fieldPath: "metadata.labels['tier']"}}
            - {path: note, fieldRef: {fieldPath: "metadata.annotations['note']"}}
            - {path: labels, fieldRef: {fieldPath: metadata.labels}}
            - {path: annotations, fieldRef: {fieldPath: metadata.annotations}}
            - {path: namespace, fieldRef: {fieldPath: metadata.namespace}}
            - {path: cpu, resourceFieldRef: {containerName: server, resource: limits.cpu, divisor: 1m}}
            - {path: memory, resourceFieldRef: {containerName: server, resource: limits.memory}}
            - {path: asked, resourceFieldRef: {containerName: server, resource: requests.cpu, divisor: 1m}}
        - name: both
          projected:
            sources:
            - configMap: {name: settings, items: [{key: LINES, path: deep/lines}]}
            - secret: {name: secrets}
            - downwardAPI: {items: [{path: deep/tier, fieldRef: {fieldPath: "metadata.labels['tier']"}}]}
            - serviceAccountToken: {path: token}
`

// longValue is of many bytes.
var longValue = strings.Repeat("0123456789abcdef", 2000)

// describedFiles are those mounted by wellDescribed, that are the same in each of its pods.
var describedFiles = []string{
	"/etc/settings/COLOUR", "/etc/settings/LINES", "/etc/settings/with.dot", "/etc/settings/with-dash",
	"/etc/settings/ODD", "/etc/settings/raw",
	"/etc/one/colour", "/etc/narrow/PASSWORD",
	"/etc/about/tier", "/etc/about/note", "/etc/about/namespace", "/etc/about/cpu", "/etc/about/memory",
	"/etc/about/asked",
	"/etc/both/deep/lines", "/etc/both/PASSWORD", "/etc/both/deep/tier",
}

// ofOnePod are lines of a labels or annotations file that are of one pod: they are
// written by the Deployment and by the kubelet.
var ofOnePod = regexp.MustCompile(`(?m)^(pod-template-hash|kubernetes\.io/config\.(seen|source))=.*\n?`)

// wellDescribed runs that workload and returns what kubectl exec shows in it.
func (n *namespace) wellDescribed() (exec func(args ...string) string) {
	n.t.Helper()
	n.apply(wellDescribed)
	n.rolledOut("web")
	return func(args ...string) string {
		n.t.Helper()
		return kubectlOut(n.t, append([]string{"exec", "-n", n.name, "deploy/web", "--", "/testserver"}, args...)...)
	}
}

// TestFilesThatDescribeThePod, and those of every other kind, are those of the
// origin's container. Not among them is the token of its service account.
func TestFilesThatDescribeThePod(t *testing.T) {
	n := newNamespace(t)
	exec := n.wellDescribed()
	want := make(map[string]string) // from before the intercept, which moves the origin's pods
	for _, name := range describedFiles {
		want[name] = exec("cat", name)
	}
	for _, name := range []string{"/etc/about/labels", "/etc/about/annotations"} {
		want[name] = strings.TrimSuffix(ofOnePod.ReplaceAllString(exec("cat", name), ""), "\n")
	}
	dir := t.TempDir()
	d, _, _ := n.interceptWeb("--files", filepath.Join(dir, "mounts"), "--env-file", filepath.Join(dir, ".env"), "--keep")

	here := func(name string) string {
		t.Helper()
		content, err := os.ReadFile(filepath.Join(dir, "mounts", name))
		require.NoError(t, err)
		return string(content)
	}
	for name, content := range want {
		require.Equal(t, content, here(name), name)
	}
	var all []string
	require.NoError(t, fs.WalkDir(os.DirFS(filepath.Join(dir, "mounts")), ".",
		func(name string, entry fs.DirEntry, err error) error {
			if !entry.IsDir() {
				all = append(all, "/"+name)
			}
			return err
		}))
	require.ElementsMatch(t, slices.Collect(maps.Keys(want)), all, "and no others")

	d.stop()
	require.Equal(t, "blue", here("/etc/settings/COLOUR"), "--keep")
	info, err := os.Stat(filepath.Join(dir, ".env"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
}

// TestEveryFormatOfAnEnvironment is read as its programs read it.
func TestEveryFormatOfAnEnvironment(t *testing.T) {
	n := newNamespace(t)
	exec := n.wellDescribed()
	want := variables(exec("env"))
	require.Equal(t, "two\n", want["LINES"][len("one\n"):])
	require.Equal(t, "overrides, and dashed is expanded, $(ONE_KEY) and $(UNKNOWN) are not", want["PASSWORD"])
	identifier := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	for _, c := range []struct {
		name, file string
		args       []string
		read       func(t *testing.T, file string) map[string]string
		carries    func(name, value string) bool
	}{
		{"sh", "env", []string{"--env-format", "sh"}, func(t *testing.T, file string) map[string]string {
			return variables(sourcedBy(t, file))
		},
			func(name, _ string) bool { return identifier.MatchString(name) }},
		{"docker", "env", []string{"--env-format", "docker"}, readDocker,
			func(_, value string) bool { return !strings.Contains(value, "\n") }},
		{"dotenv", ".env", nil, readDotenv,
			func(name, _ string) bool { return identifier.MatchString(strings.ReplaceAll(name, ".", "_")) }},
		{"json, by its name", "env.json", nil, readJSON, func(_, _ string) bool { return true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), c.file)
			m := *n
			m.t = t
			d, _, _ := m.interceptWeb(append([]string{"--env-file", file}, c.args...)...)
			got := c.read(t, file)
			for name, value := range want {
				if c.carries(name, value) {
					require.Equal(t, value, got[name], name)
				} else {
					require.NotContains(t, got, name)
				}
			}
			d.stop()
			require.NoFileExists(t, file)
			m.noAgents()
		})
	}
}

func readJSON(t *testing.T, file string) (found map[string]string) {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(content, &found))
	return found
}

// readDocker reads as docker run --env-file does: lines, and nothing quoted.
func readDocker(t *testing.T, file string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, line := range linesOf(t, file) {
		name, value, _ := strings.Cut(line, "=")
		found[name] = value
	}
	return found
}

// dotenvPair is what the dotenv libraries agree on: bare words, single quotes around
// what stands for itself, double quotes with escapes.
var dotenvPair = regexp.MustCompile(`(?m)^([^#=\n][^=\n]*)=(?:'([^']*)'|"((?:[^"\\]|\\.)*)"|([^'"\n]*))$`)

func readDotenv(t *testing.T, file string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	found := make(map[string]string)
	unescape := strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\"`, `"`, `\$`, "$", `\\`, `\`)
	for _, pair := range dotenvPair.FindAllStringSubmatch(string(content), -1) {
		found[pair[1]] = pair[2] + unescape.Replace(pair[3]) + pair[4]
	}
	return found
}

func linesOf(t *testing.T, file string) (lines []string) {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestTheCommandHasTheContainersEnvironment, odd names and all, over its own.
func TestTheCommandHasTheContainersEnvironment(t *testing.T) {
	n := newNamespace(t)
	want := variables(n.wellDescribed()("env"))
	cmd := exec.CommandContext(t.Context(), devtunPath(), "intercept", "web", "--kubeconfig", kubeconfig(), "-n", n.name,
		"--no-forward",
		"--", bed.Program("testserver"), "env")
	cmd.Env = append(os.Environ(), "OWN=its own", "COLOUR=of this machine")
	var complaint strings.Builder
	cmd.Stderr = &complaint
	began := time.Now()
	out, err := cmd.Output()
	require.NoError(t, err, complaint.String())
	t.Logf("done in %v", time.Since(began).Round(time.Millisecond))
	pairs := make(map[string]string)
	for pair := range strings.SplitSeq(string(out), "\x00") {
		name, value, _ := strings.Cut(pair, "=")
		pairs[name] = value
	}
	for name, value := range want {
		require.Equal(t, value, pairs[name], name)
	}
	require.Equal(t, "its own", pairs["OWN"])
	for _, name := range []string{"PATH", "HOME"} {
		require.Equal(t, os.Getenv(name), pairs[name], "a program finds things on this machine")
	}
	for name := range pairs {
		require.False(t, strings.HasPrefix(name, "DEVTUN_AGENT"), "what is the agent's own: %s", name)
	}
}

// TestAnEnvFileIsReplacedWhole: whoever reads it while an intercept is restarted
// finds all of it or nothing.
func TestAnEnvFileIsReplacedWhole(t *testing.T) {
	n := newNamespace(t)
	n.wellDescribed()
	file := filepath.Join(t.TempDir(), "env.json")
	d, _, _ := n.interceptWeb("--env-file", file, "--keep")
	first, err := os.ReadFile(file)
	require.NoError(t, err)
	before, err := os.Stat(file)
	require.NoError(t, err)
	d.stop()
	n.noAgents()

	stop, reads := make(chan struct{}), make(chan string, 1)
	go func() {
		for {
			select {
			case <-stop:
				reads <- ""
				return
			default:
			}
			content, err := os.ReadFile(file)
			if err != nil || !json.Valid(content) {
				reads <- "read: " + string(content[:min(len(content), 100)])
				return
			}
			select {
			case <-stop:
			case <-time.After(time.Millisecond):
			}
		}
	}()
	d, _, _ = n.interceptWeb("--env-file", file)
	close(stop)
	require.Empty(t, <-reads)
	again, err := os.ReadFile(file)
	require.NoError(t, err)
	require.JSONEq(t, withoutPods(t, first), withoutPods(t, again))
	after, err := os.Stat(file)
	require.NoError(t, err)
	require.False(t, os.SameFile(before, after), "it is another file, renamed to its place")
	d.stop()
	require.NoFileExists(t, file)
}

// withoutPods is an environment without what is of one agent's pod.
func withoutPods(t *testing.T, content []byte) string {
	t.Helper()
	var found map[string]string
	require.NoError(t, json.Unmarshal(content, &found))
	for _, name := range ofThePod {
		delete(found, name)
	}
	text, err := json.Marshal(found)
	require.NoError(t, err)
	return string(text)
}
