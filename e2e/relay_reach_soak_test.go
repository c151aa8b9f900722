//go:build soak

package e2e

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/e2e/testserver/content"
	"github.com/devtun/devtun/e2e/testserver/server"
)

// TestSoakRelayCarriesUDP has what speaks UDP speak through a relay, by either way of its
// links: QUIC minds each datagram that is lost or late. It counts what is lost: beside other
// tests the server's socket overflows while its process waits for a processor.
//
//e2e:alone
func TestSoakRelayCarriesUDP(t *testing.T) {
	overRelays(t, map[string]func(*testing.T, way){"UDP": func(t *testing.T, by way) {
		n := newNamespace(t).testserver("web", 1)
		n.packets("datagrams", "web")
		d := by.start(t, "-n", n.name)
		t.Run("sizes", func(t *testing.T) {
			conn := dialUDP(t, d.addr("datagrams", 7000))
			for _, size := range []int{0, 1, 512, 1472, 9000, 65_507} {
				echoed(t, conn, size)
			}
		})
		t.Run("QUIC", func(t *testing.T) { echoedByQUIC(t, d.addr("datagrams", 443), 16<<20) })
		t.Run("a stream", func(t *testing.T) { streamed(t, d.addr("datagrams", 7000), 1_000_000, 5*time.Second) })
		t.Run("many clients at once", func(t *testing.T) {
			var clients sync.WaitGroup
			for range 100 {
				clients.Go(func() { echoed(t, dialUDP(t, d.addr("datagrams", 7000)), 100) })
			}
			clients.Wait()
		})
	}})
}

// echoedByQUIC sends so many bytes on a stream of QUIC and wants them back.
func echoedByQUIC(t *testing.T, addr string, size int64) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := quic.DialAddr(ctx, addr,
		&tls.Config{InsecureSkipVerify: true, NextProtos: []string{server.QUICProtocol}}, nil)
	require.NoError(t, err)
	defer conn.CloseWithError(0, "")
	stream, err := conn.OpenStreamSync(ctx)
	require.NoError(t, err)
	var sending errgroup.Group
	sending.Go(func() error {
		if _, err := io.Copy(stream, content.Reader(3, size)); err != nil {
			return err
		}
		return stream.Close()
	})
	sum := sha256.New()
	got, err := io.Copy(sum, stream)
	require.NoError(t, err)
	require.NoError(t, sending.Wait())
	require.Equal(t, size, got)
	require.Equal(t, content.Hash(3, size), hex.EncodeToString(sum.Sum(nil)))
}

// streamed sends datagrams, so many bytes a second for a while, and wants all but one in a
// thousand echoed.
func streamed(t *testing.T, addr string, perSecond int, lasts time.Duration) {
	const size = 1000
	conn := dialUDP(t, addr)
	echoed(t, conn, 1) // the flow stands
	require.NoError(t, conn.SetDeadline(time.Now().Add(lasts+time.Minute)))
	total := int(lasts.Seconds() * float64(perSecond) / size)
	back := make(map[uint32]bool, total)
	var reading sync.WaitGroup
	reading.Go(func() {
		for datagram := make([]byte, 2*size); len(back) < total; {
			count, err := conn.Read(datagram)
			if err != nil {
				return
			}
			if count == size {
				back[binary.BigEndian.Uint32(datagram)] = true
			}
		}
	})
	began := time.Now()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for sent := 0; sent < total; {
		<-tick.C
		for due := int(time.Since(began).Seconds() * float64(perSecond) / size); sent < min(due, total); sent++ {
			datagram := make([]byte, size)
			binary.BigEndian.PutUint32(datagram, uint32(sent))
			_, err := conn.Write(datagram)
			require.NoError(t, err)
		}
	}
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(3*time.Second))) // for the last ones
	reading.Wait()
	t.Logf("%d of %d datagrams came back", len(back), total)
	require.Less(t, total-len(back), total/1000+1)
}

// TestSoakRelayAsksTheClustersDNS by UDP and TCP, at its service's name.
func TestSoakRelayAsksTheClustersDNS(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	inSystem := &namespace{t: t, client: n.client, name: "kube-system"}
	inSystem.bystander()
	d := startForward(t, "-n", n.name, "-n", "kube-system", "kube-dns.kube-system", "--relay")
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, d.addr("kube-dns", 53))
			}}
			var asking errgroup.Group
			asking.SetLimit(10)
			for range 300 {
				asking.Go(func() error {
					ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
					defer cancel()
					found, err := resolver.LookupNetIP(ctx, "ip4", "web."+n.name+".svc.cluster.local.")
					if err == nil && len(found) != 1 {
						return fmt.Errorf("found %v", found)
					}
					return err
				})
			}
			require.NoError(t, asking.Wait())
		})
	}
	d.stop()
	inSystem.noRelay()
}

// bystander is a pod whose image a relay can run in, until the test ends: the cluster's own
// namespaces have none here.
func (n *namespace) bystander() {
	n.t.Helper()
	pods, now := n.client.CoreV1().Pods(n.name), int64(0)
	made, err := pods.Create(n.t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "bystander-"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "server", Image: "devtun.test/testserver:dev",
			ImagePullPolicy: corev1.PullIfNotPresent}}},
	}, metav1.CreateOptions{})
	require.NoError(n.t, err)
	n.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		assert.NoError(n.t, pods.Delete(ctx, made.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}))
	})
	n.runs(made.Name)
}

// runs waits until a pod has an address, and is ready.
func (n *namespace) runs(pod string) (address string) {
	n.t.Helper()
	kubectl(n.t, "wait", "-n", n.name, "--for=condition=Ready", "--timeout=90s", "pod/"+pod)
	found, err := n.client.CoreV1().Pods(n.name).Get(n.t.Context(), pod, metav1.GetOptions{})
	require.NoError(n.t, err)
	return found.Status.PodIP
}

// ownAddress has a pod of the tests' server listen on its address only.
func ownAddress(pod *corev1.PodSpec) {
	pod.Containers[0].Env = []corev1.EnvVar{{Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}}}
	pod.Containers[0].Args = []string{"-host", "$(POD_IP)"}
}

// TestSoakRelayReachesWhatPortForwardDoesNot: one after another of what devtun forward skips
// by itself, or gets no answer from, and what no Service is for.
func TestSoakRelayReachesWhatPortForwardDoesNot(t *testing.T) {
	for _, by := range byRelay {
		t.Run(by.name, func(t *testing.T) {
			t.Parallel()
			reachesAnything(t, by)
		})
	}
}

func reachesAnything(t *testing.T, by way) {
	n := newNamespace(t)
	n.applyTestserver("shy", 1, ownAddress)
	// What KubeVirt runs a machine in is a pod with this label, and the machine may answer at
	// the pod's address only.
	n.applyTestserver("desk", 1, ownAddress)
	machine := "desk-of-" + n.name
	kubectl(t, "patch", "-n", n.name, "deploy/desk", "--patch",
		`{"spec": {"template": {"metadata": {"labels": {"vm.kubevirt.io/name": "`+machine+`"}}}}}`)
	n.rolledOut("shy")
	n.rolledOut("desk")
	shy := n.pods("shy")[0]
	n.packets("datagrams", "shy")
	n.externalName("elsewhere", "shy."+n.name+".svc.cluster.local", corev1.ServicePort{Port: 7005})
	n.newService("manual", corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "hash", Port: 7005},
		{Name: "echo", Port: 7000, Protocol: corev1.ProtocolUDP}}})
	n.leadsTo("manual", shy.Status.PodIP)
	// As 'virtctl expose' makes one.
	n.newService("machines", corev1.ServiceSpec{Selector: map[string]string{"vm.kubevirt.io/name": machine},
		Ports: []corev1.ServicePort{{Name: "hash", Port: 7005}, {Name: "echo", Port: 7000, Protocol: corev1.ProtocolUDP}}})

	host := "datagrams." + n.name + ".svc.cluster.local"
	d := by.start(t, "-n", n.name, "shy", "datagrams", "elsewhere", "manual", "machines", "pod/"+shy.Name+":7005",
		"vm/"+machine+":7005",
		"ip/"+shy.Status.PodIP+":7005", "ip/"+shy.Status.PodIP+":7000/udp", "host/"+host+":7005", "host/"+host+":7000/udp")
	for _, c := range []struct{ service, network, name string }{
		{"shy", "tcp", "shy." + n.name}, {"elsewhere", "tcp", "elsewhere." + n.name}, {"manual", "tcp", "manual." + n.name},
		{"pod/" + shy.Name, "tcp", shy.Name}, {"vm/" + machine, "tcp", machine},
		{"machines", "tcp", "machines." + n.name}, {"machines", "udp", "machines." + n.name},
		{"ip/" + shy.Status.PodIP, "tcp", ""}, {"host/" + host, "tcp", host},
		{"datagrams", "udp", "datagrams." + n.name}, {"manual", "udp", "manual." + n.name},
		{"ip/" + shy.Status.PodIP, "udp", ""}, {"host/" + host, "udp", host},
	} {
		t.Run(c.service+" by "+c.network, func(t *testing.T) {
			port := map[string]int{"tcp": 7005, "udp": 7000}[c.network]
			addresses := []string{d.addr(c.service, port)}
			if c.name != "" {
				addresses = append(addresses, fmt.Sprintf("%s:%d", here(t, c.name), port))
			}
			for _, address := range addresses {
				if c.network == "udp" {
					echoed(t, dialUDP(t, address), 100)
					continue
				}
				require.Equal(t, hashOf("hello")+" 5\n", hashedThere(t, address), address)
			}
		})
	}
	d.stop()
	n.noRelay()
	require.Empty(t, n.names())
}

// here is the address that a name has on this machine: the resolver of Go remembers the hosts
// file of a moment ago.
func here(t *testing.T, name string) string {
	t.Helper()
	for _, line := range names(t) {
		words := strings.Fields(line)
		if slices.Contains(words[1:], name) {
			return words[0]
		}
	}
	require.FailNow(t, "no such name", "%s in %v", name, names(t))
	return ""
}

// hashedThere says hello to the tests' server, ends its side, and returns what that answers.
func hashedThere(t *testing.T, address string) string {
	t.Helper()
	conn := dial(t, address)
	fmt.Fprint(conn, "hello")
	require.NoError(t, conn.CloseWrite())
	said, err := io.ReadAll(conn)
	require.NoError(t, err)
	return string(said)
}

// leadsTo has a Service without a selector lead to an address, as somebody's controller does.
func (n *namespace) leadsTo(service, address string) {
	n.t.Helper()
	var ports []discoveryv1.EndpointPort
	made, err := n.client.CoreV1().Services(n.name).Get(n.t.Context(), service, metav1.GetOptions{})
	require.NoError(n.t, err)
	for _, port := range made.Spec.Ports {
		ports = append(ports, discoveryv1.EndpointPort{Name: &port.Name, Port: &port.Port, Protocol: &port.Protocol})
	}
	family := discoveryv1.AddressTypeIPv4
	if netip.MustParseAddr(address).Is6() {
		family = discoveryv1.AddressTypeIPv6
	}
	_, err = n.client.DiscoveryV1().EndpointSlices(n.name).Create(n.t.Context(), &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: service, Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: family, Ports: ports, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{address}}},
	}, metav1.CreateOptions{})
	require.NoError(n.t, err)
}

// TestSoakWithoutARelay: what it would reach is said, and so it is of a target.
func TestSoakWithoutARelay(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	n.packets("datagrams", "web")
	n.externalName("elsewhere", "web."+n.name+".svc.cluster.local", corev1.ServicePort{Port: 7005})
	d := startForward(t, "-n", n.name)
	for _, service := range []string{"elsewhere"} {
		skipped := d.await(service, readyTimeout, func(e event) bool { return e.Service == service && e.State == "skipped" })
		require.True(t, strings.HasSuffix(skipped.Reason, "--relay reaches it"), skipped.Reason)
	}
	for _, target := range []string{"host/web." + n.name + ":7005", "ip/10.1.2.3:80"} {
		message, hint := refused(t, kubeconfig(), exitUsage, "-n", n.name, target)
		require.Contains(t, message+hint, "--relay")
	}
}
