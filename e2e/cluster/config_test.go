package cluster

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/yaml"
)

func TestConfiguration(t *testing.T) {
	s := state{ID: "01020304", Block: netip.MustParsePrefix("10.200.64.0/19"), Shape: Shape{Nodes: 1}}
	files := configuration(s, 1, "overlayfs")
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
	require.Equal(t, []string{"10.200.72.10"}, kubelet.ClusterDNS)
	require.Equal(t, "/devtun-01020304", kubelet.CgroupRoot)
	require.Equal(t, "0%", kubelet.EvictionHard["nodefs.available"])

	var cni struct{ Plugins []struct{ Type string } }
	require.NoError(t, json.Unmarshal(files["etc/cni/devtun.conflist"], &cni))
	require.Equal(t, "ptp", cni.Plugins[0].Type)
	require.Contains(t, string(files["etc/cni/devtun.conflist"]), `"10.200.80.0/22"`)
	require.Contains(t, string(files["etc/Corefile"]), "bind 10.200.64.2\n")
	require.Contains(t, string(files["etc/containerd.toml"]), `sandbox_image = "`+pauseImage+`"`)
}

func TestConfigurationOfAnotherNode(t *testing.T) {
	s := state{ID: "01020304", Block: netip.MustParsePrefix("10.200.64.0/19"), Shape: Shape{Nodes: 2}}
	files := configuration(s, 2, "overlayfs")
	require.NotContains(t, files, "etc/Corefile")
	require.Contains(t, string(files["etc/cni/devtun.conflist"]), `"10.200.84.0/22"`)
	require.Contains(t, string(files["etc/kubelet.yaml"]), "cgroupRoot: /devtun-01020304/devtun-2\n")
	require.Contains(t, string(files["etc/kubelet.yaml"]), "nodeLeaseDurationSeconds: 4\n")
}

func TestKubernetesVersionsAreTheModules(t *testing.T) {
	require.Contains(t, releases, defaultShape.Kubernetes)
	for name, release := range releases {
		module, err := os.ReadFile(filepath.Join("kubernetes", cmp.Or(release.modFile, "go.mod")))
		require.NoError(t, err)
		found := regexp.MustCompile(`k8s\.io/kubernetes (v\S+)`).FindSubmatch(module)
		require.NotNil(t, found)
		require.Equal(t, string(found[1]), release.version)
		require.True(t, strings.HasPrefix(release.version, "v"+name+"."))
	}
}

func TestShape(t *testing.T) {
	require.NoError(t, defaultShape.check())
	require.Equal(t, Shape{2, "nftables", "1.34", false}, Shape{Nodes: 2, Kubernetes: "1.34"}.or(defaultShape))
	for name, value := range map[string]string{
		"CLUSTER_NODES": "5", "CLUSTER_POLICIES": "some", "CLUSTER_PROXY": "ipvs", "CLUSTER_KUBERNETES": "1.1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			_, err := ShapeFromEnv()
			require.ErrorContains(t, err, value)
		})
	}
}
