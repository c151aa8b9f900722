package cluster

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"path"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/devtun/devtun/e2e/cluster/pki"
)

// admins is the group that may do everything.
const admins = "system:masters"

// servers and clients are whom the cluster's authority vouches for on the first node,
// kubelets on each. The first have files in pki/, the others a kubeconfig.
func servers(n network) map[string]pki.Subject {
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	return map[string]pki.Subject{
		"pki/apiserver": {
			Name: "kube-apiserver",
			Names: []string{"localhost", nodeName(1), "kubernetes", "kubernetes.default",
				"kubernetes.default.svc", "kubernetes.default.svc." + clusterDomain},
			Addresses: []netip.Addr{n.node(1), n.api(), loopback},
		},
		"pki/apiserver-kubelet-client": {Name: "kube-apiserver-kubelet-client", Groups: []string{admins}},
	}
}

var clients = map[string]pki.Subject{
	"kubeconfig":                        {Name: "devtun-admin", Groups: []string{admins}},
	"etc/controller-manager.kubeconfig": {Name: "system:kube-controller-manager"},
	"etc/scheduler.kubeconfig":          {Name: "system:kube-scheduler"},
	// Its rights would otherwise have to be created before it starts.
	"etc/coredns.kubeconfig": {Name: "coredns", Groups: []string{admins}},
}

// kubelet is the server that the node of a number has.
func kubelet(n network, number int) pki.Subject {
	return pki.Subject{Name: nodeName(number), Names: []string{nodeName(number)},
		Addresses: []netip.Addr{n.node(number), netip.AddrFrom4([4]byte{127, 0, 0, 1})}}
}

// agents are the clients that the node of a number has.
func agents(number int) map[string]pki.Subject {
	return map[string]pki.Subject{
		"etc/kubelet.kubeconfig":    {Name: "system:node:" + nodeName(number), Groups: []string{"system:nodes"}},
		"etc/kube-proxy.kubeconfig": {Name: "system:kube-proxy"},
		"etc/policies.kubeconfig":   {Name: "policies", Groups: []string{admins}}, // as coredns
	}
}

// credentials issues everything that proves who is who on so many nodes, as files by
// their paths in the cluster's directory.
func credentials(n network, nodes int) (map[string][]byte, error) {
	authority, err := pki.New("devtun")
	if err != nil {
		return nil, err
	}
	private, public, err := pki.SigningKey()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		"pki/service-account.key": private,
		"pki/service-account.pub": public,
	}
	serving, calling := servers(n), maps.Clone(clients)
	for number := 1; number <= nodes; number++ {
		home := homeOf(number)
		files[path.Join(home, "pki/ca.crt")] = authority.Certificate()
		serving[path.Join(home, "pki/kubelet")] = kubelet(n, number)
		for file, subject := range agents(number) {
			calling[path.Join(home, file)] = subject
		}
	}
	for file, subject := range serving {
		pair, err := authority.Issue(subject)
		if err != nil {
			return nil, err
		}
		files[file+".crt"], files[file+".key"] = pair.Certificate, pair.Key
	}
	for file, subject := range calling {
		pair, err := authority.Issue(subject)
		if err != nil {
			return nil, err
		}
		if files[file], err = kubeconfig(n, authority.Certificate(), subject.Name, pair); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// kubeconfig is the way to the API server for one user.
func kubeconfig(n network, authority []byte, user string, pair pki.Pair) ([]byte, error) {
	const name = "devtun"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{
		Server:                   "https://" + net.JoinHostPort(n.node(1).String(), "6443"),
		CertificateAuthorityData: authority,
	}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{
		ClientCertificateData: pair.Certificate,
		ClientKeyData:         pair.Key,
	}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: user}
	config.CurrentContext = name
	data, err := clientcmd.Write(*config)
	if err != nil {
		return nil, fmt.Errorf("write kubeconfig: %w", err)
	}
	return data, nil
}
