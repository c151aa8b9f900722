package machine

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/devtun/devtun/cmd/cli/credential"
	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/problem"
)

func TestKubeconfig(t *testing.T) {
	none := &problem.Problem{Err: errors.New("load kubeconfig: no kubeconfig found"), Hint: "pass --kubeconfig"}
	for name, c := range map[string]struct {
		unconnected error
		fault, says string
	}{
		"none":        {none, "kubeconfig", "no kubeconfig found"},
		"no context":  {&problem.Problem{Err: &kube.NoContextError{Name: "dev"}, Hint: "did you mean …"}, "context", `no context "dev"`},
		"all is well": {nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Unconnected: c.unconnected, Cluster: &kube.Cluster{Config: &rest.Config{Host: "https://it"}}}
			fault := check.FirstFault(o.kubeconfig(t.Context()))
			if c.fault == "" {
				require.Nil(t, fault)
				return
			}
			require.Equal(t, c.fault, fault.Check)
			require.Equal(t, c.says, fault.Message)
			require.NotEmpty(t, fault.Hint)
		})
	}
}

// TestPlugin runs one for real.
func TestPlugin(t *testing.T) {
	for name, c := range map[string]struct {
		command, args string
		cause         error // of the end of its time; nil: it ends
		says          string
	}{
		"fails":     {"sh", "echo session expired >&2; exit 1", nil, "gives no credentials"},
		"is not":    {"devtun-no-such-plugin", "", nil, "is not there"},
		"waits":     {"sh", "sleep 60", context.DeadlineExceeded, "gave no credentials within"},
		"says junk": {"sh", "echo hello", nil, "gives no credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			gate := credential.NewGate()
			gate.Silent = true
			defer gate.Close()
			login, err := gate.Login(&rest.Config{Host: "https://it", ExecProvider: &api.ExecConfig{
				Command: c.command, Args: []string{"-c", c.args}, APIVersion: "client.authentication.k8s.io/v1",
				InteractiveMode: api.NeverExecInteractiveMode,
			}})
			require.NoError(t, err)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			if c.cause != nil {
				cancel(c.cause)
			}
			o := Options{Cluster: &kube.Cluster{Login: login}, Login: func() error { return login.Await(ctx) }}
			fault := check.FirstFault(o.plugin(t.Context()))
			require.NotNil(t, fault)
			require.Equal(t, "credential-plugin", fault.Check)
			require.Contains(t, fault.Message, c.command)
			require.Contains(t, fault.Message, c.says)
			require.NotEmpty(t, fault.Hint)
			if name == "fails" {
				require.Contains(t, fault.Evidence[0], "session expired")
			}
		})
	}
}
