package cluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/devtun/devtun/e2e/cluster/node"
)

// Component names one of the programs that make up the cluster.
type Component string

// The components, each a single process of the node.
const (
	Etcd              Component = "etcd"
	Containerd        Component = "containerd"
	APIServer         Component = "kube-apiserver"
	ControllerManager Component = "kube-controller-manager"
	Scheduler         Component = "kube-scheduler"
	Kubelet           Component = "kubelet"
	KubeProxy         Component = "kube-proxy"
	CoreDNS           Component = "coredns"
)

// Components lists all, what others need first.
func Components() []Component {
	return []Component{Etcd, Containerd, APIServer, ControllerManager, Scheduler, Kubelet, KubeProxy, CoreDNS}
}

// recipe is how a component is run.
type recipe struct {
	// needs are the components that must be healthy before it starts.
	needs []Component
	args  []string
	// healthy succeeds once the component does its work.
	healthy func(context.Context) error
}

// recipes says how each component is run in this cluster. All paths and the
// loopback address are the node's. Ports are the default ones: nobody else is there.
func (c *Cluster) recipes() map[Component]recipe {
	n := c.state.network()
	pki := func(name string) string { return node.Home + "/pki/" + name }
	etc := func(name string) string { return node.Home + "/etc/" + name }
	return map[Component]recipe{
		Etcd: {
			args: []string{"etcd", "--data-dir=/var/lib/etcd",
				"--unsafe-no-fsync"}, // outlives a crash of etcd; the machine's, nothing here does
			healthy: c.answers("http://127.0.0.1:2379/health"),
		},
		Containerd: {
			args:    []string{"containerd", "--config=" + etc("containerd.toml")},
			healthy: c.containerdHealthy,
		},
		APIServer: {
			needs: []Component{Etcd},
			args: []string{"kube-apiserver",
				"--etcd-servers=http://127.0.0.1:2379",
				"--advertise-address=" + n.node().String(),
				"--service-cluster-ip-range=" + n.services().String(),
				"--allow-privileged",
				"--authorization-mode=Node,RBAC",
				"--enable-admission-plugins=NodeRestriction",
				"--client-ca-file=" + pki("ca.crt"),
				"--tls-cert-file=" + pki("apiserver.crt"),
				"--tls-private-key-file=" + pki("apiserver.key"),
				"--kubelet-certificate-authority=" + pki("ca.crt"),
				"--kubelet-client-certificate=" + pki("apiserver-kubelet-client.crt"),
				"--kubelet-client-key=" + pki("apiserver-kubelet-client.key"),
				"--kubelet-preferred-address-types=InternalIP",
				"--service-account-issuer=https://kubernetes.default.svc." + clusterDomain,
				"--service-account-key-file=" + pki("service-account.pub"),
				"--service-account-signing-key-file=" + pki("service-account.key"),
			},
			healthy: c.answers("https://127.0.0.1:6443/readyz"),
		},
		ControllerManager: {
			needs: []Component{APIServer},
			args: []string{"kube-controller-manager",
				"--kubeconfig=" + etc("controller-manager.kubeconfig"),
				"--leader-elect=false",
				"--use-service-account-credentials",
				// Dozens of namespaces come and go at a time, which is more than
				// 20 requests a second: endpoints must not wait in their line.
				"--kube-api-qps=200", "--kube-api-burst=400",
				"--root-ca-file=" + pki("ca.crt"),
				"--service-account-private-key-file=" + pki("service-account.key"),
			},
			healthy: c.answers("https://127.0.0.1:10257/healthz"),
		},
		Scheduler: {
			needs: []Component{APIServer},
			args: []string{"kube-scheduler",
				"--kubeconfig=" + etc("scheduler.kubeconfig"),
				"--leader-elect=false",
			},
			healthy: c.answers("https://127.0.0.1:10259/healthz"),
		},
		Kubelet: {
			needs: []Component{APIServer, Containerd},
			args: []string{"kubelet",
				"--kubeconfig=" + etc("kubelet.kubeconfig"),
				"--config=" + etc("kubelet.yaml"),
				"--hostname-override=" + nodeName,
				"--node-ip=" + n.node().String(),
			},
			healthy: c.answers("http://127.0.0.1:10248/healthz"),
		},
		KubeProxy: {
			needs: []Component{APIServer, Kubelet}, // it waits for the node that the kubelet registers
			args: []string{"kube-proxy",
				"--kubeconfig=" + etc("kube-proxy.kubeconfig"),
				"--hostname-override=" + nodeName,
				"--proxy-mode=nftables",
				"--cluster-cidr=" + n.pods().String(),
				"--healthz-bind-address=127.0.0.1:10256",
				// The limit on connections is the host's: leave it.
				"--conntrack-max-per-core=0",
			},
			healthy: c.answers("http://127.0.0.1:10256/healthz"),
		},
		CoreDNS: {
			needs:   []Component{APIServer},
			args:    []string{"coredns", "-conf=" + etc("Corefile")},
			healthy: c.answers("http://127.0.0.1:8181/ready"),
		},
	}
}

// answers checks that a GET of the URL, from inside the node, is answered with 200.
func (c *Cluster) answers(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		client := http.Client{Transport: &http.Transport{
			DialContext: c.dial,
			// Health is public; some components serve it with a certificate of
			// their own making.
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
			DisableKeepAlives: true,
		}}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("get %s: %s", url, response.Status)
		}
		return nil
	}
}

// containerdHealthy checks that containerd accepts clients, which it does only
// once all its parts have started.
func (c *Cluster) containerdHealthy(ctx context.Context) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.containerdSocket())
	if err != nil {
		return err
	}
	return conn.Close()
}

func (c *Cluster) containerdSocket() string {
	return filepath.Join(node.Root(c.state.PID), "run/containerd/containerd.sock")
}

// dial opens a connection from inside the node; the address must be numeric.
func (c *Cluster) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return dialInside(ctx, c.state.PID, network, address)
}
