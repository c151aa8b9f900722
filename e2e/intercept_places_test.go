package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/plan"
)

// placed is the tests' server with files at paths that are not here, that are, and where
// nothing is shown.
const placed = `
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {COLOUR: blue, run.sh: "echo run"}}
- {apiVersion: v1, kind: Secret, metadata: {name: secrets}, stringData: {PASSWORD: word}}
- {apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web}
  spec:
    selector: {matchLabels: {app: web}}
    template:
      metadata: {labels: {app: web, tier: first}}
      spec:
        terminationGracePeriodSeconds: 1
        containers:
        - name: server
          image: devtun.test/testserver:dev
          imagePullPolicy: IfNotPresent
          readinessProbe: {periodSeconds: 1, httpGet: {path: /ready, port: 8080}}
          volumeMounts:
          - {name: settings, mountPath: /devtun-shop/settings}
          - {name: settings, mountPath: /devtun-shop/settings.old/colour, subPath: COLOUR}
          - {name: secrets, mountPath: /etc/devtun-shop/password, subPath: PASSWORD}
          - {name: both, mountPath: /etc/ssl}
          - {name: settings, mountPath: /tmp/devtun-shop}
        volumes:
        - {name: settings, configMap: {name: settings, defaultMode: 0555}}
        - {name: secrets, secret: {secretName: secrets}}
        - {name: both, projected: {sources: [{configMap: {name: settings, items: [{key: COLOUR, path: deep/colour}]}}, {downwardAPI: {items: [{path: tier, fieldRef: {fieldPath: "metadata.labels['tier']"}}]}}]}}
`

// placeReader is a command that reads its files at their own paths, waits for a change, and
// then for a name: the hosts file is in a directory that was made anew.
const placeReader = `
cd /devtun-shop && cat settings/COLOUR; echo; settings/run.sh
cat settings.old/colour /etc/devtun-shop/password /etc/ssl/deep/colour /etc/ssl/tier; echo
test -s /etc/passwd && test -d /usr && test -e /etc/hosts && echo all else
cat $DEVTUN_FILES/tmp/devtun-shop/COLOUR; echo
echo waiting
until grep -q red settings/COLOUR; do sleep 0.1; done
cat settings/COLOUR /etc/ssl/deep/colour settings.old/colour; echo
until getent hosts $1 >/dev/null; do sleep 0.1; done
echo $1
`

// TestTheCommandSeesTheFilesInTheirPlaces, as root and as a user without any rights, and
// nobody else does.
func TestTheCommandSeesTheFilesInTheirPlaces(t *testing.T) {
	n := newNamespace(t)
	n.apply(placed)
	n.rolledOut("web")
	u := newUser(t, noRule)
	for name, command := range map[string]func(string, ...string) *exec.Cmd{"root": exec.Command, "user": u.command} {
		t.Run(name, func(t *testing.T) {
			kubectl(t, "patch", "configmap", "-n", n.name, "settings", "-p", `{"data":{"COLOUR":"blue"}}`)
			cmd := command(devtunPath(), "intercept", "web", "-n", n.name, "--", "sh", "-c", placeReader, "sh",
				"late-"+name)
			if name == "root" {
				cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig(), "TMPDIR="+t.TempDir())
				cmd.Dir = t.TempDir()
			}
			out, in, err := os.Pipe()
			require.NoError(t, err)
			defer out.Close()
			var complaint strings.Builder
			cmd.Stdout, cmd.Stderr = in, &complaint
			require.NoError(t, cmd.Start())
			require.NoError(t, in.Close())
			t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM) }) // it may have ended
			require.NoError(t, out.SetReadDeadline(time.Now().Add(4*time.Minute)))
			lines := bufio.NewScanner(out)
			for _, want := range []string{"blue", "run", "bluewordbluefirst", "all else", "blue", "waiting"} {
				require.True(t, lines.Scan(), "%v", lines.Err())
				require.Equal(t, want, lines.Text())
			}
			for _, path := range []string{"/devtun-shop", "/etc/devtun-shop", "/etc/ssl/tier", "/tmp/devtun-shop"} {
				require.NoFileExists(t, path, "nobody else sees it")
				require.NoDirExists(t, path, "nobody else sees it")
			}
			kubectl(t, "patch", "configmap", "-n", n.name, "settings", "-p", `{"data":{"COLOUR":"red"}}`)
			kubectl(t, "annotate", "pods", "-n", n.name, "-l", plan.AgentLabel, "devtun.test/look="+name)
			require.True(t, lines.Scan(), "%v", lines.Err())
			require.Equal(t, "redredblue", lines.Text(), "a single file stays as it is, as in a pod")
			n.apply(`{apiVersion: v1, kind: Service, metadata: {name: late-` + name +
				`}, spec: {selector: {app: web}, ports: [{port: 9090, targetPort: 8080}]}}`)
			require.True(t, lines.Scan(), "%v", lines.Err())
			require.Equal(t, "late-"+name, lines.Text())
			require.False(t, lines.Scan())
			require.NoError(t, cmd.Wait(), complaint.String())
			require.Contains(t, complaint.String(),
				"note: /tmp/devtun-shop is not in its place, but below $DEVTUN_FILES: /tmp/devtun-shop is not there, and /tmp, "+
					"everybody's, has to stay open for writing")
			require.Empty(t, u.privateFiles())
			n.noAgents()
		})
	}
	t.Run("killed", func(t *testing.T) {
		cmd := u.command(devtunPath(), "intercept", "web", "-n", n.name, "--no-forward", "--", "sh", "-c",
			"cat /etc/devtun-shop/password; echo; exec sleep 1000")
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		require.True(t, lines.Scan(), "%v", lines.Err())
		require.Equal(t, "word", lines.Text())
		require.Len(t, u.privateFiles(), 1)
		require.NoError(t, cmd.Process.Kill())
		require.Eventually(t, func() bool { return len(u.privateFiles()) == 0 }, endTimeout, 10*time.Millisecond)
		_ = cmd.Wait() // it was killed
		_, complaint, code := u.run(devtunPath(), "restore", "web", "-n", n.name)
		require.Zero(t, code, complaint)
		n.noAgents()
	})
}
