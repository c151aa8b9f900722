package main

import (
	"net/url"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/devtun/devtun/e2e/testbed"
)

// labOf is a lab whose site is an API server with nothing in it.
func labOf(t *testing.T, server string) *lab {
	t.Helper()
	dir := t.TempDir()
	config := api.NewConfig()
	config.Clusters["c"] = &api.Cluster{Server: server, InsecureSkipTLSVerify: true}
	config.AuthInfos["u"] = &api.AuthInfo{Token: "secret"}
	config.Contexts["x"] = &api.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "x"
	file := filepath.Join(dir, "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*config, file))
	address, err := url.Parse(server)
	require.NoError(t, err)
	return &lab{dir: dir, site: &site{Bed: &testbed.Bed{Kubeconfig: file}, api: address}}
}

func TestKubeconfigOfAnotherWay(t *testing.T) {
	l := labOf(t, "https://10.1.2.3:6443")
	file := filepath.Join(l.dir, "other")

	require.NoError(t, l.site.writeKubeconfig(file, "https://127.0.0.1:1", true))
	config, err := clientcmd.BuildConfigFromFlags("", file)
	require.NoError(t, err)
	require.Equal(t, "https://127.0.0.1:1", config.Host)
	require.Equal(t, "10.1.2.3", config.ServerName)
	require.Equal(t, "secret", config.BearerToken)

	require.NoError(t, l.site.writeKubeconfig(file, "http://127.0.0.1:2", false))
	config, err = clientcmd.BuildConfigFromFlags("", file)
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:2", config.Host)
	require.Empty(t, config.BearerToken)
	require.Empty(t, config.ServerName)
}

func TestAPIHost(t *testing.T) {
	for server, want := range map[string]struct {
		host    string
		address bool
	}{
		"https://10.1.2.3:6443":       {"10.1.2.3:6443", true},
		"https://10.1.2.3":            {"10.1.2.3:443", true},
		"https://api.example.com":     {"api.example.com:443", false},
		"https://[fd00::1]:6443/path": {"[fd00::1]:6443", false},
	} {
		address, err := url.Parse(server)
		require.NoError(t, err)
		s := &site{api: address}
		require.Equal(t, want.host, s.apiHost())
		_, ok := s.apiAddress()
		require.Equal(t, want.address, ok, server)
	}
}
