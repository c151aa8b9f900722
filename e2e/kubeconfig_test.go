package e2e

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// adminConfig is the kubeconfig under test, cut down to its current context and
// without references to other files, for a test to change.
func adminConfig(t *testing.T) *clientcmdapi.Config {
	t.Helper()
	config, err := clientcmd.LoadFromFile(kubeconfig())
	require.NoError(t, err)
	require.NoError(t, clientcmdapi.MinifyConfig(config))
	require.NoError(t, clientcmdapi.FlattenConfig(config))
	return config
}

// userConfig writes a kubeconfig that differs from the one under test in who
// the user is.
func userConfig(t *testing.T, user *clientcmdapi.AuthInfo) string {
	t.Helper()
	config := adminConfig(t)
	config.AuthInfos[config.Contexts[config.CurrentContext].AuthInfo] = user
	return writeConfig(t, config)
}

// serverConfig writes one that differs in where the API server is.
func serverConfig(t *testing.T, server string) string {
	t.Helper()
	config := adminConfig(t)
	config.Clusters[config.Contexts[config.CurrentContext].Cluster].Server = server
	return writeConfig(t, config)
}

func writeConfig(t *testing.T, config *clientcmdapi.Config) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*config, file))
	return file
}
