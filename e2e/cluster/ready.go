package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// step is something that will succeed after a while.
type step struct {
	what string
	try  func(context.Context) error
}

// awaitReady makes what the API needs to know of cluster DNS and waits until the nodes
// can be used: a pod would be scheduled there, run, and find services by name.
func (c *Cluster) awaitReady(ctx context.Context, nodes []Node) error {
	client, done, err := c.client()
	if err != nil {
		return err
	}
	defer done()
	steps := []step{
		{"publish cluster DNS", func(ctx context.Context) error { return c.publishDNS(ctx, client) }},
		{"wait for the default service account", func(ctx context.Context) error { return accountReady(ctx, client) }},
	}
	for _, n := range nodes {
		steps = append(steps,
			step{"wait for node " + n.Name(), func(ctx context.Context) error { return n.ready(ctx, client) }},
			step{"wait for cluster DNS on " + n.Name(), n.dnsAnswers})
	}
	for _, step := range steps {
		ctx, cancel := context.WithTimeout(ctx, startTimeout)
		err := poll(ctx, step.try)
		cancel()
		if err != nil {
			return fmt.Errorf("%s: %w\nlogs are in %s/log", step.what, err, c.dir)
		}
	}
	return nil
}

// client is a client of the cluster's API; done closes its connections.
func (c *Cluster) client() (client kubernetes.Interface, done func(), err error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return nil, nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	config.Timeout = 10 * time.Second
	config.QPS = -1 // polling is slow enough
	transport, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, nil, fmt.Errorf("make API client: %w", err)
	}
	client, err = kubernetes.NewForConfigAndClient(config, transport)
	if err != nil {
		return nil, nil, fmt.Errorf("make API client: %w", err)
	}
	return client, func() { utilnet.CloseIdleConnectionsFor(transport.Transport) }, nil
}

// ready succeeds once pods are scheduled to the node.
func (n Node) ready(ctx context.Context, client kubernetes.Interface) error {
	node, err := client.CoreV1().Nodes().Get(ctx, n.Name(), metav1.GetOptions{})
	if err != nil {
		return err
	}
	if len(node.Spec.Taints) > 0 {
		return fmt.Errorf("the node has the taint %s", node.Spec.Taints[0].Key)
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			return nil
		}
		if condition.Type == corev1.NodeReady {
			return fmt.Errorf("the node is not ready: %s", condition.Message)
		}
	}
	return errors.New("the node has no condition yet")
}

// accountReady succeeds once the first pod would be admitted.
func accountReady(ctx context.Context, client kubernetes.Interface) error {
	_, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
	return err
}

// publishDNS leads the pods' DNS address to CoreDNS, which runs beside the API
// server and not in a pod: a Service without a selector, its endpoint the node.
func (c *Cluster) publishDNS(ctx context.Context, client kubernetes.Interface) error {
	const namespace, name = "kube-system", "kube-dns"
	n := c.state.network()
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.ServiceSpec{
			ClusterIP: n.dns().String(),
			Ports: []corev1.ServicePort{
				{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP},
				{Name: "dns-tcp", Port: 53, Protocol: corev1.ProtocolTCP},
			},
		},
	}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: name,
			Labels: map[string]string{
				discoveryv1.LabelServiceName: name,
				discoveryv1.LabelManagedBy:   "devtun",
			},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{n.node(1).String()}}},
	}
	for _, port := range service.Spec.Ports {
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{
			Name: &port.Name, Port: &port.Port, Protocol: &port.Protocol,
		})
	}
	// Looked for first: to create it again is refused for its address, not its name.
	_, err := client.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = client.CoreV1().Services(namespace).Create(ctx, service, metav1.CreateOptions{})
	}
	if err != nil {
		return err
	}
	_, err = client.DiscoveryV1().EndpointSlices(namespace).Create(ctx, slice, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return nil
}

// dnsAnswers asks for the API server's name as a pod on the node would: at the DNS
// service's address, which kube-proxy's rules lead to CoreDNS.
func (n Node) dnsAnswers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	layout := n.c.state.network()
	resolver := net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return n.dial(ctx, network, net.JoinHostPort(layout.dns().String(), "53"))
		},
	}
	addresses, err := resolver.LookupHost(ctx, "kubernetes.default.svc."+clusterDomain+".")
	if err != nil {
		return err
	}
	if !slices.Contains(addresses, layout.api().String()) {
		return fmt.Errorf("the API server's name leads to %v", addresses)
	}
	return nil
}
