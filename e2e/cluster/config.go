package cluster

import (
	"fmt"

	"github.com/devtun/devtun/e2e/cluster/node"
)

// clusterDomain is what names of services end with.
const clusterDomain = "cluster.local"

// configuration is what the components of the node of a number read when they start,
// as files by their paths in the node's home. The paths within are those of the node.
func configuration(s state, number int, snapshotter string) map[string][]byte {
	n := s.network()
	files := map[string][]byte{
		"etc/containerd.toml":     fmt.Appendf(nil, containerdConfig, pauseImage, snapshotter, cniDirectory, node.Home),
		"etc/cni/devtun.conflist": fmt.Appendf(nil, cniConfig, n.podsOf(number)),
		"etc/kubelet.yaml":        fmt.Appendf(nil, kubeletConfig, node.Home, n.dns(), clusterDomain, s.nodeCgroup(number)),
		"etc/resolv.conf":         fmt.Appendf(nil, "nameserver %s\n", n.dns()),
	}
	if number == 1 {
		files["etc/Corefile"] = fmt.Appendf(nil, corefile, n.node(1), clusterDomain, node.Home)
	}
	files["etc/kubelet.yaml"] = append(files["etc/kubelet.yaml"], releases[s.Shape.Kubernetes].kubelet...)
	if s.Shape.Nodes > 1 {
		files["etc/kubelet.yaml"] = append(files["etc/kubelet.yaml"], livelyKubelet...)
	}
	return files
}

// restrict_oom_score_adj: without CAP_SYS_RESOURCE no pod would start otherwise.
// disable_apparmor: a profile would be loaded into the host's kernel, and stay.
const containerdConfig = `version = 2
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]

[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  restrict_oom_score_adj = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = %q

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = %q
  conf_dir = "%s/etc/cni"
`

// Each pod is joined to the node by a link of its own and reached by a route, so
// that all its traffic passes kube-proxy's rules, that to pods beside it too. With
// a bridge this would need the br_netfilter module, and a setting of the host's.
const cniConfig = `{
  "cniVersion": "1.0.0",
  "name": "devtun",
  "plugins": [
    {
      "type": "ptp",
      "ipam": {
        "type": "host-local",
        "dataDir": "/run/cni",
        "ranges": [[{"subnet": "%s"}]],
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`

// No pod is evicted and no image removed because the developer's disk is full.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
tlsCertFile: %[1]s/pki/kubelet.crt
tlsPrivateKeyFile: %[1]s/pki/kubelet.key
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: %[1]s/pki/ca.crt}
authorization: {mode: Webhook}
clusterDNS: ["%[2]s"]
clusterDomain: %[3]s
resolvConf: %[1]s/etc/resolv.conf
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
volumePluginDir: /var/lib/kubelet/volumeplugins
cgroupDriver: cgroupfs
cgroupRoot: /%[4]s
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
maxPods: 250
evictionHard:
  memory.available: 50Mi
  nodefs.available: 0%%
  nodefs.inodesFree: 0%%
  imagefs.available: 0%%
  imagefs.inodesFree: 0%%
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
logging: {verbosity: 1}
`

// looseKubelet lets an image that was loaded be used though the same one was also pulled
// by another name: otherwise the kubelet asks a registry for it, which there is none.
const looseKubelet = `imagePullCredentialsVerificationPolicy: NeverVerify
`

// livelyKubelet has a kubelet tell every second that its node lives, and every two
// how it is.
const livelyKubelet = `nodeLeaseDurationSeconds: 4
nodeStatusUpdateFrequency: 2s
`

const corefile = `.:53 {
  bind %[1]s
  errors
  ready 127.0.0.1:8181
  cache 5
  kubernetes %[2]s in-addr.arpa ip6.arpa {
    kubeconfig %[3]s/etc/coredns.kubeconfig devtun
    pods insecure
    ttl 5
  }
}
`
