package cluster

import (
	"encoding/json"
	"net/netip"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/yaml"
)

func TestConfiguration(t *testing.T) {
	s := state{ID: "01020304", Block: netip.MustParsePrefix("10.200.48.0/20")}
	files := configuration(s, "overlayfs")
	for path, data := range files {
		require.NotContains(t, string(data), "%!", "%s has a place too many or too few", path)
		require.NotContains(t, string(data), "%%", path)
	}

	var kubelet struct {
		ClusterDNS   []string
		CgroupRoot   string
		EvictionHard map[string]string
	}
	data, err := yaml.ToJSON(files["etc/kubelet.yaml"])
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &kubelet))
	require.Equal(t, []string{"10.200.56.10"}, kubelet.ClusterDNS)
	require.Equal(t, "/devtun-01020304", kubelet.CgroupRoot)
	require.Equal(t, "0%", kubelet.EvictionHard["nodefs.available"])

	var cni struct{ Plugins []struct{ Type string } }
	require.NoError(t, json.Unmarshal(files["etc/cni/devtun.conflist"], &cni))
	require.Equal(t, "ptp", cni.Plugins[0].Type)
	require.Contains(t, string(files["etc/cni/devtun.conflist"]), `"10.200.50.0/23"`)
	require.Contains(t, string(files["etc/Corefile"]), "bind 10.200.48.2\n")
	require.Contains(t, string(files["etc/containerd.toml"]), `sandbox_image = "`+pauseImage+`"`)
}

func TestKubernetesVersionIsTheModules(t *testing.T) {
	module, err := os.ReadFile("kubernetes/go.mod")
	require.NoError(t, err)
	found := regexp.MustCompile(`k8s\.io/kubernetes (v\S+)`).FindSubmatch(module)
	require.NotNil(t, found)
	require.Equal(t, string(found[1]), kubernetesVersion)
}
