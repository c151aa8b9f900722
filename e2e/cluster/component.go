package cluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
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
	Policies          Component = "policies"
)

// Components lists those of the node, what others need first. The first node has the
// control plane's besides those that each has.
func (n Node) Components() []Component {
	all := []Component{Etcd, Containerd, APIServer, ControllerManager, Scheduler, Kubelet, KubeProxy, CoreDNS, Policies}
	recipes := n.recipes()
	return slices.DeleteFunc(all, func(c Component) bool { return recipes[c].args == nil })
}

// everywhere tells whether each node has one of the component's kind.
func (c Component) everywhere() bool { return slices.Contains(onEachNode, c) }

var onEachNode = []Component{Containerd, Kubelet, KubeProxy, Policies}

// recipe is how a component is run.
type recipe struct {
	// needs are the components that must be healthy before it starts, on the node
	// itself or, where it has none such, on the first.
	needs []Component
	args  []string
	// healthy succeeds once the component does its work.
	healthy func(context.Context) error
}

// recipes says how each component of the node is run. All paths and the loopback
// address are the node's. Ports are the default ones: nobody else is there.
func (n Node) recipes() map[Component]recipe {
	layout := n.c.state.network()
	recipes := map[Component]recipe{
		Containerd: {
			args:    []string{"containerd", "--config=" + etcFile("containerd.toml")},
			healthy: n.containerdHealthy,
		},
		Kubelet: {
			needs: []Component{APIServer, Containerd},
			args: []string{"kubelet",
				"--kubeconfig=" + etcFile("kubelet.kubeconfig"),
				"--config=" + etcFile("kubelet.yaml"),
				"--hostname-override=" + n.Name(),
				"--node-ip=" + n.Address().String(),
			},
			healthy: n.answers("http://127.0.0.1:10248/healthz"),
		},
		KubeProxy: {
			needs: []Component{APIServer, Kubelet}, // it waits for the node that the kubelet registers
			args: []string{"kube-proxy",
				"--kubeconfig=" + etcFile("kube-proxy.kubeconfig"),
				"--hostname-override=" + n.Name(),
				"--proxy-mode=" + n.c.state.Shape.Proxy,
				"--cluster-cidr=" + layout.pods().String(),
				"--healthz-bind-address=127.0.0.1:10256",
				// The limit on connections is the host's: leave it.
				"--conntrack-max-per-core=0",
			},
			healthy: n.answers("http://127.0.0.1:10256/healthz"),
		},
	}
	if n.c.state.Shape.Policies {
		recipes[Policies] = recipe{
			needs: []Component{APIServer, Kubelet}, // it asks for the node
			args: []string{"policies",
				"-kubeconfig=" + etcFile("policies.kubeconfig"),
				"-node=" + n.Name(),
				"-services=" + layout.services().String(),
				"-health=127.0.0.1:20244",
			},
			healthy: n.answers("http://127.0.0.1:20244/"),
		}
	}
	if n.number == 1 {
		maps.Copy(recipes, n.controlPlane())
	}
	return recipes
}

// pkiFile and etcFile are paths of files of the node.
func pkiFile(name string) string { return node.Home + "/pki/" + name }
func etcFile(name string) string { return node.Home + "/etc/" + name }

// answers checks that a GET of the URL, from inside the node, is answered with 200.
func (n Node) answers(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		client := http.Client{Transport: &http.Transport{
			DialContext: n.dial,
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
func (n Node) containerdHealthy(ctx context.Context) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", n.containerdSocket())
	if err != nil {
		return err
	}
	return conn.Close()
}

func (n Node) containerdSocket() string {
	return filepath.Join(node.Root(n.PID()), "run/containerd/containerd.sock")
}

// dial opens a connection from inside the node; the address must be numeric.
func (n Node) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return dialInside(ctx, n.PID(), network, address)
}
