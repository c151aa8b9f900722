package cluster

import (
	"fmt"
	"net"
	"net/netip"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/devtun/devtun/e2e/cluster/pki"
)

// nodeName is the node's name in the cluster, and its host name.
const nodeName = "devtun"

// admins is the group that may do everything.
const admins = "system:masters"

// servers and clients are whom the cluster's authority vouches for. The first
// have files in pki/, the others a kubeconfig.
func servers(n network) map[string]pki.Subject {
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	return map[string]pki.Subject{
		"apiserver": {
			Name: "kube-apiserver",
			Names: []string{"localhost", nodeName, "kubernetes", "kubernetes.default",
				"kubernetes.default.svc", "kubernetes.default.svc." + clusterDomain},
			Addresses: []netip.Addr{n.node(), n.api(), loopback},
		},
		"apiserver-kubelet-client": {Name: "kube-apiserver-kubelet-client", Groups: []string{admins}},
		"kubelet":                  {Name: nodeName, Names: []string{nodeName}, Addresses: []netip.Addr{n.node(), loopback}},
	}
}

var clients = map[string]pki.Subject{
	"kubeconfig":                        {Name: "devtun-admin", Groups: []string{admins}},
	"etc/controller-manager.kubeconfig": {Name: "system:kube-controller-manager"},
	"etc/scheduler.kubeconfig":          {Name: "system:kube-scheduler"},
	"etc/kubelet.kubeconfig":            {Name: "system:node:" + nodeName, Groups: []string{"system:nodes"}},
	"etc/kube-proxy.kubeconfig":         {Name: "system:kube-proxy"},
	// Its rights would otherwise have to be created before it starts.
	"etc/coredns.kubeconfig": {Name: "coredns", Groups: []string{admins}},
}

// credentials issues everything that proves who is who, as files by their paths
// in the cluster's directory.
func credentials(n network) (map[string][]byte, error) {
	authority, err := pki.New("devtun")
	if err != nil {
		return nil, err
	}
	private, public, err := pki.SigningKey()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		"pki/ca.crt":              authority.Certificate(),
		"pki/service-account.key": private,
		"pki/service-account.pub": public,
	}
	for name, subject := range servers(n) {
		pair, err := authority.Issue(subject)
		if err != nil {
			return nil, err
		}
		files["pki/"+name+".crt"], files["pki/"+name+".key"] = pair.Certificate, pair.Key
	}
	for path, subject := range clients {
		pair, err := authority.Issue(subject)
		if err != nil {
			return nil, err
		}
		if files[path], err = kubeconfig(n, authority.Certificate(), subject.Name, pair); err != nil {
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
		Server:                   "https://" + net.JoinHostPort(n.node().String(), "6443"),
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
