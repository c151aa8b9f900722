package up

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/image"
	"github.com/devtun/devtun/cmd/cli/project"
)

// kubeconfigOf writes a kubeconfig with one context, and returns its path.
func kubeconfigOf(t *testing.T, context string) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.CurrentContext = context
	config.Contexts[context] = &clientcmdapi.Context{Cluster: "it", AuthInfo: "me"}
	config.Clusters["it"] = &clientcmdapi.Cluster{Server: "https://192.0.2.1"}
	config.AuthInfos["me"] = &clientcmdapi.AuthInfo{Token: "secret"}
	file := filepath.Join(t.TempDir(), context)
	require.NoError(t, clientcmd.WriteToFile(*config, file))
	return file
}

// An order comes from a shell that is not the session's: what it says there is the
// order's, and nobody else's.
func TestAnOrderHasItsOwnEnvironment(t *testing.T) {
	ours, theirs := kubeconfigOf(t, "ours"), kubeconfigOf(t, "theirs")
	several := "/nowhere" + string(filepath.ListSeparator) + theirs
	t.Setenv("KUBECONFIG", ours)
	t.Setenv(image.Variable, "ours:1")
	before := os.Environ()
	p := &project.Project{Intercepts: []project.Intercept{{Workload: "web"}}}
	for name, want := range map[string]struct {
		environment    map[string]string
		context, image string
		plugin         []string
	}{
		"this process's": {nil, "ours", "ours:1", nil},
		"another": {
			map[string]string{"KUBECONFIG": theirs, image.Variable: "theirs:1"}, "theirs", "theirs:1",
			[]string{"KUBECONFIG=" + theirs},
		},
		"several files": {map[string]string{"KUBECONFIG": several}, "theirs", "", []string{"KUBECONFIG=" + several}},
	} {
		t.Run(name, func(t *testing.T) {
			order := background.Order{Project: p, Environment: want.environment}
			kube := orderedKube(order)
			cluster, err := kube.Connect()
			require.NoError(t, err)
			require.Equal(t, want.context, cluster.Context)
			require.Equal(t, want.plugin, kube.PluginEnv())
			wanted, err := wantOf(order, destination{namespace: "demo"})
			require.NoError(t, err)
			image := wanted.intercepts[0].settings.image
			if want.image != "" {
				require.Equal(t, want.image, image)
			} else {
				require.NotContains(t, image, "ours")
			}
		})
	}
	require.Equal(t, before, os.Environ())
	nothing := background.Order{Project: p, Environment: map[string]string{}}
	require.Equal(t, []string{"KUBECONFIG"}, orderedKube(nothing).PluginEnv(), "it is not ours that a plugin gets")

	named := orderedKube(background.Order{
		Project: &project.Project{Kubeconfig: ours}, Environment: map[string]string{"KUBECONFIG": theirs},
	})
	cluster, err := named.Connect()
	require.NoError(t, err)
	require.Equal(t, "ours", cluster.Context, "a project's own kubeconfig comes first")
}
