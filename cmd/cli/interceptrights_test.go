package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
)

const oneWorkload = `apiVersion: v1
kind: Namespace
metadata: {name: demo}
---
apiVersion: v1
kind: Service
metadata: {namespace: demo, name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: demo, name: web, uid: a}
spec: {replicas: 1, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: server, image: a}]}}}`

// interceptWithout intercepts where some rights are missing. Nothing can be created
// there, so that it fails in the end, whatever it may.
func interceptWithout(t *testing.T, mode plan.Mode, rights ...target.Right) (code int, messages string) {
	t.Helper()
	objects, err := readObjects(oneWorkload)
	require.NoError(t, err)
	api := &apiServer{objects: objects}
	for _, right := range rights {
		api.denied = append(api.denied, right.String())
	}
	server := api.start()
	defer server.Close()
	authority := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
		Bytes: server.Certificate().Raw}))
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := strings.NewReplacer("CONTEXT", "it", "SERVER", server.URL, "AUTHORITY", authority).Replace(kubeconfig)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	args := []string{"intercept", "web", "--kubeconfig", file, "--agent-image", "example.org/agent:1"}
	if mode == plan.Replace {
		args = append(args, "--replace")
	}
	var out, stderr bytes.Buffer
	code = Main(args, output.Streams{In: strings.NewReader(""), Out: &out, Err: &stderr})
	return code, stderr.String()
}

// TestEachMissingRight takes one right after the other away. One that cannot be
// done without is named, with the feature that has it; without another it says
// what is lost.
func TestEachMissingRight(t *testing.T) {
	for _, mode := range []plan.Mode{plan.Divert, plan.Replace} {
		feature := map[plan.Mode]string{plan.Divert: "intercept", plan.Replace: "replace"}[mode]
		for _, right := range append(intercept.Forwarding(), target.Rights(mode)...) {
			code, stderr := interceptWithout(t, mode, right)
			switch {
			// is noted when it is refused, or not needed here
			case right.Verb == "list" && right.Without != "", right.Resource == "networkpolicies",
				strings.HasPrefix(right.Resource, "statefulsets"), strings.HasPrefix(right.Resource, "replicasets"):
			case right.Without == "":
				require.EqualValues(t, problem.ExitRights, code, "%s: %s", right, stderr)
				require.Contains(t, stderr, "devtun: error: rights are missing in namespace demo: "+right.String())
				require.Contains(t, stderr, "hint: 'devtun rbac "+feature+"' prints the Role that has them all\n")
			default:
				require.NotEqualValues(t, problem.ExitRights, code, "%s: %s", right, stderr)
				require.Contains(t, stderr, "note: without the right to "+right.String())
				require.Contains(t, stderr, right.Without)
			}
		}
	}
}

func TestAllMissingRights(t *testing.T) {
	for _, mode := range []plan.Mode{plan.Divert, plan.Replace} {
		all := append(intercept.Forwarding(), target.Rights(mode)...)
		code, stderr := interceptWithout(t, mode, all...)
		require.EqualValues(t, problem.ExitRights, code)
		require.Equal(t, 1, strings.Count(stderr, "devtun: error: "))
		for _, right := range all {
			if right.Without == "" {
				require.Equal(t, 1,
					strings.Count(strings.ReplaceAll(strings.TrimSuffix(stderr, "\n")+",", "\n", ",\n"), " "+right.String()+","),
					"%s in %s", right, stderr)
			}
		}
	}
}
