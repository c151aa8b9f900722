package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/e2e/conformance"
)

// exchangesTimeout bounds all exchanges together.
const exchangesTimeout = 40 * time.Second

// lanePorts are those ports of the tests' server that no probe of the kubelet's asks.
var lanePorts = []int{9000, 7000, 7001, 7002, 7003, 7004, 7005, 7006}

// TestExchangesThroughAnAgent: all that clients and servers of HTTP/1 say to each other
// through an agent arrives byte for byte, at the origin and at the local process. Both ends
// are here: the origin's pod carries its connections on to this machine, whole.
func TestExchangesThroughAnAgent(t *testing.T) {
	host := hostOfPods(t)
	answerProbes(t, host)
	n := newNamespace(t).testserver("web", 1, "-pipe", host)
	lanes := make([]conformance.Lane, len(lanePorts))
	flags := []string{"--header=" + conformance.MarkName + "=" + conformance.MarkValue}
	for i, port := range lanePorts {
		lanes[i].Origin, lanes[i].Local = listenOn(t, host, port), listenOn(t, "127.0.0.1", 0)
		flags = append(flags, fmt.Sprintf("--port=%d:%d", lanes[i].Local.Addr().(*net.TCPAddr).Port, port))
	}
	d, _, at := n.interceptWeb(flags...)
	for i, port := range lanePorts {
		lanes[i].In = at(port)
		d.await("traffic to the developer", time.Minute,
			func(e event) bool { return e.Type == "traffic" && e.Port == port && e.To == "developer" })
	}
	began := time.Now()
	conformance.Exchanges(t, lanes)
	took := time.Since(began)
	t.Logf("all were carried after %v", took.Round(time.Millisecond))
	require.Less(t, took, exchangesTimeout)
	d.stop()
	n.noAgents()
}

// hostOfPods is the address at which pods reach this machine.
func hostOfPods(t *testing.T) string {
	t.Helper()
	api, err := url.Parse(restConfig(t).Host)
	require.NoError(t, err)
	conn, err := net.Dial("udp", net.JoinHostPort(api.Hostname(), "9")) // which says nothing
	require.NoError(t, err)
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).IP.String()
}

// listenOn listens until the test ends.
func listenOn(t *testing.T, host string, port int) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	return listener
}

// answerProbes says that the tests' server is ready, where its pod carries to.
func answerProbes(t *testing.T, host string) {
	t.Helper()
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go server.Serve(listenOn(t, host, webPort))
	t.Cleanup(func() { server.Close() })
}
