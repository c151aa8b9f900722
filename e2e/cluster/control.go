package cluster

// controlPlane says how those components are run that only the first node has.
func (n Node) controlPlane() map[Component]recipe {
	layout := n.c.state.network()
	recipes := map[Component]recipe{
		Etcd: {
			args: []string{"etcd", "--data-dir=/var/lib/etcd",
				"--unsafe-no-fsync"}, // outlives a crash of etcd; the machine's, nothing here does
			healthy: n.answers("http://127.0.0.1:2379/health"),
		},
		APIServer: {
			needs: []Component{Etcd},
			args: []string{"kube-apiserver",
				"--etcd-servers=http://127.0.0.1:2379",
				"--advertise-address=" + n.Address().String(),
				"--service-cluster-ip-range=" + layout.services().String(),
				"--allow-privileged",
				"--authorization-mode=Node,RBAC",
				"--enable-admission-plugins=NodeRestriction",
				"--client-ca-file=" + pkiFile("ca.crt"),
				"--tls-cert-file=" + pkiFile("apiserver.crt"),
				"--tls-private-key-file=" + pkiFile("apiserver.key"),
				"--kubelet-certificate-authority=" + pkiFile("ca.crt"),
				"--kubelet-client-certificate=" + pkiFile("apiserver-kubelet-client.crt"),
				"--kubelet-client-key=" + pkiFile("apiserver-kubelet-client.key"),
				"--kubelet-preferred-address-types=InternalIP",
				"--service-account-issuer=https://kubernetes.default.svc." + clusterDomain,
				"--service-account-key-file=" + pkiFile("service-account.pub"),
				"--service-account-signing-key-file=" + pkiFile("service-account.key"),
			},
			healthy: n.answers("https://127.0.0.1:6443/readyz"),
		},
		ControllerManager: {
			needs: []Component{APIServer},
			args: []string{"kube-controller-manager",
				"--kubeconfig=" + etcFile("controller-manager.kubeconfig"),
				"--leader-elect=false",
				"--use-service-account-credentials",
				// Dozens of namespaces come and go at a time, which is more than
				// 20 requests a second: endpoints must not wait in their line.
				"--kube-api-qps=200", "--kube-api-burst=400",
				"--root-ca-file=" + pkiFile("ca.crt"),
				"--service-account-private-key-file=" + pkiFile("service-account.key"),
			},
			healthy: n.answers("https://127.0.0.1:10257/healthz"),
		},
		Scheduler: {
			needs: []Component{APIServer},
			args: []string{"kube-scheduler",
				"--kubeconfig=" + etcFile("scheduler.kubeconfig"),
				"--leader-elect=false",
			},
			healthy: n.answers("https://127.0.0.1:10259/healthz"),
		},
		CoreDNS: {
			needs:   []Component{APIServer},
			args:    []string{"coredns", "-conf=" + etcFile("Corefile")},
			healthy: n.answers("http://127.0.0.1:8181/ready"),
		},
	}
	if n.c.state.Shape.Nodes > 1 {
		for component, flags := range prompt {
			r := recipes[component]
			r.args = append(r.args, flags...)
			recipes[component] = r
		}
	}
	return recipes
}

// prompt has a cluster of several nodes notice within seconds that one does not
// answer (its kubelet does so every second, see livelyKubelet), and then end the pods
// there that say nothing else, for which it would take 40 s and 5 minutes otherwise. The
// rate of evictions must not be 1: after a moment in which all nodes are not ready, as when a
// cluster starts, the controller takes that for the rate of the limiter that lets nothing
// through, keeps that, and evicts nothing for good (flowcontrol's fakeNeverRateLimiter.QPS).
var prompt = map[Component][]string{
	APIServer: {"--default-not-ready-toleration-seconds=3", "--default-unreachable-toleration-seconds=3"},
	ControllerManager: {"--node-monitor-period=500ms", "--node-monitor-grace-period=5s",
		"--node-startup-grace-period=10s", "--node-eviction-rate=2"},
}
