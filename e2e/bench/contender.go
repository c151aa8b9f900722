package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/devtun/devtun/e2e/bench/process"
)

// The contenders' names.
const (
	devtun   = "devtun"
	relay    = "relay" // devtun forward --relay
	kubectl  = "kubectl"
	plain    = "plain" // kubectl over plain SPDY, client-go's way, which kubefwd goes
	direct   = "direct"
	prepared = "prepared" // devtun, with an image of the agent that is on the node already
	pipe     = "pipe"     // a pod that carries whole connections, as an agent that knows no requests
	without  = "without"  // devtun, without what is measured
)

// The pod's ports, as e2e/testserver has them.
const (
	portHTTP    = 8080
	portEcho    = 7000 // sends back what comes
	portSend    = 7004 // reads "N\n", sends N bytes
	portReceive = 7006 // reads "N\n" and N bytes, answers with hash and length
)

var ports = []int{portHTTP, portEcho, portSend, portReceive}

// contender is one way to the pod, or through an intercept to the process here
// that stands in for it. Whoever has it from one of the functions below closes it.
type contender struct {
	name      string
	answer    string         // to /who, at the other end
	inverted  bool           // the client is the cluster's side, the server this machine's
	addresses map[int]string // where the pod's ports are reached
	child     *process.Child // nil when no process is in the way
}

func (c *contender) close() {
	if c.child != nil {
		c.child.Close()
	}
}

// dial connects to a port of the pod.
func (c *contender) dial(ctx context.Context, port int) (net.Conn, error) {
	address, ok := c.addresses[port]
	if !ok {
		return nil, fmt.Errorf("%s: no address for port %d", c.name, port)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

// straight is the way without any.
func straight(podIP string) *contender {
	addresses := map[int]string{}
	for _, port := range ports {
		addresses[port] = net.JoinHostPort(podIP, strconv.Itoa(port))
	}
	return &contender{name: direct, answer: podName, addresses: addresses}
}

// throughDevtun starts `devtun forward` for a whole namespace and returns when
// it says that it is ready. The addresses are those of the service named.
func (l *lab) throughDevtun(ctx context.Context, kubeconfig, namespace, service string) (*contender, error) {
	return l.startDevtun(ctx, devtun, kubeconfig, namespace, service)
}

// shortestWay has devtun fail rather than go by port-forwards, so that a figure is of what it says.
const shortestWay = "--link=proxy"

// throughRelay starts it with a relay, for the lab's only service, and gives it the time to
// have all its links.
func (l *lab) throughRelay(ctx context.Context, kubeconfig string) (*contender, error) {
	c, err := l.startDevtun(ctx, relay, kubeconfig, l.namespace, serviceName, "--relay", shortestWay)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, settle); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// startDevtun starts `devtun forward` with such flags, as the contender of that name.
func (l *lab) startDevtun(ctx context.Context, name, kubeconfig, namespace, service string,
	flags ...string) (*contender,
	error) {
	addresses := map[int]string{}
	hear := func(line string) bool { return hearDevtun(line, service, addresses) }
	args := []string{"forward", "--kubeconfig", kubeconfig, "--namespace", namespace, "--hosts-file", l.hostsFile,
		"--output", "json"}
	child, err := process.Start(ctx, hear, l.site.Program("devtun"), append(args, flags...)...)
	if err != nil {
		return nil, err
	}
	return &contender{name: name, answer: podName, addresses: addresses, child: child}, nil
}

// hearDevtun takes the addresses of a service from an event; it reports whether
// that was the word that devtun is ready.
func hearDevtun(line, service string, addresses map[int]string) (ready bool) {
	var event struct {
		Type, Service, Address string
		Ports                  []struct{ Local, Port int }
	}
	if json.Unmarshal([]byte(line), &event) != nil {
		return false
	}
	if event.Type == "service" && event.Service == service {
		for _, port := range event.Ports {
			addresses[port.Port] = net.JoinHostPort(event.Address, strconv.Itoa(port.Local))
		}
	}
	return event.Type == "ready"
}

// throughKubectl starts `kubectl port-forward` for the lab's service, on ports
// that the kernel chooses, and returns when it listens on all of them.
func (l *lab) throughKubectl(ctx context.Context, kubeconfig string) (*contender, error) {
	return l.startKubectl(ctx, kubectl, kubeconfig)
}

// throughPlain starts it as programs have it that call client-go's portforward, kubefwd
// among them: one API connection to the pod, which speaks SPDY and no WebSocket.
func (l *lab) throughPlain(ctx context.Context, kubeconfig string) (*contender, error) {
	return l.startKubectl(ctx, plain, kubeconfig, "KUBECTL_PORT_FORWARD_WEBSOCKETS=false")
}

// startKubectl starts `kubectl port-forward` with such variables, as the contender of
// that name.
func (l *lab) startKubectl(ctx context.Context, name, kubeconfig string, variables ...string) (*contender, error) {
	addresses := map[int]string{}
	hear := func(line string) bool { return hearKubectl(line, addresses) && len(addresses) == len(ports) }
	args := []string{"port-forward", "--kubeconfig", kubeconfig, "--namespace", l.namespace,
		"--address", "127.0.0.1", "service/" + serviceName}
	for _, port := range ports {
		args = append(args, ":"+strconv.Itoa(port))
	}
	child, err := process.StartWith(ctx, variables, hear, l.site.kubectl, args...)
	if err != nil {
		return nil, err
	}
	return &contender{name: name, answer: podName, addresses: addresses, child: child}, nil
}

var kubectlForwards = regexp.MustCompile(`^Forwarding from (127\.0\.0\.1:\d+) -> (\d+)$`)

// hearKubectl takes an address from a line of kubectl's, if it tells one.
func hearKubectl(line string, addresses map[int]string) bool {
	match := kubectlForwards.FindStringSubmatch(strings.TrimSpace(line))
	if match == nil {
		return false
	}
	port, err := strconv.Atoi(match[2])
	addresses[port] = match[1]
	return err == nil
}
