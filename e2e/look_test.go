package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// requestEvent is what devtun tells of a request.
type requestEvent struct {
	Type, Caller, Method, Target, By string
	Status                           int
}

// TestTap shows who asks for what, and leaves no trace; beside an intercept too.
func TestTap(t *testing.T) {
	t.Parallel()
	n := newNamespace(t).chain()
	before := n.trace()
	cmd := exec.Command(devtunPath(), "tap", "service-middle", "--kubeconfig", kubeconfig(), "-n", n.name, "-o", "json")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	requests := make(chan requestEvent, 1000)
	ready := make(chan bool, 1)
	require.NoError(t, cmd.Start())
	read := make(chan bool)
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var e requestEvent
			if json.Unmarshal(lines.Bytes(), &e) != nil {
				continue
			}
			switch e.Type {
			case "request":
				select {
				case requests <- e:
				default:
				}
			case "ready":
				ready <- true
			}
		}
	}()
	t.Cleanup(func() { cmd.Process.Kill(); <-read; cmd.Wait() })
	select {
	case <-ready:
	case <-time.After(2 * time.Minute):
		t.Fatal("the tap does not stand")
	}
	n.tapped(requests, "origin")

	local := newLocalProcess(t)
	local.start()
	d := n.intercept("--no-forward", "--port", local.port())
	n.answeredBy(developerSays)
	n.tapped(requests, "@")
	d.stop()
	n.tapped(requests, "origin")

	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	<-read
	require.NoError(t, cmd.Wait())
	n.noAgents()
	n.asTraced(before)
}

// tapped asks until a request of service-front's is told that was answered by that one.
func (n *namespace) tapped(requests <-chan requestEvent, by string) {
	n.t.Helper()
	require.Eventually(n.t, func() bool {
		n.client.CoreV1().Services(n.name).ProxyGet("http", "service-front", "80", "/", nil).DoRaw(n.t.Context())
		for {
			select {
			case r := <-requests:
				if strings.HasPrefix(r.Caller, "service-front-") && r.Method == "GET" && r.Status == 200 &&
					strings.Contains(r.By, by) {
					return true
				}
			default:
				return false
			}
		}
	}, time.Minute, pollEvery)
}

// TestMirror has copies arrive here, the origin answer, and a process here that reads
// nothing be nobody's concern.
func TestMirror(t *testing.T) {
	t.Parallel()
	n := newNamespace(t).chain()
	before := n.trace()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	copies := make(chan string, 1000)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		copies <- r.URL.Path
		fmt.Fprint(w, developerSays)
	})}
	go server.Serve(listener)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	d := n.intercept("--no-forward", "--mirror", "--port", port+":8080")
	ask := func() string {
		answer, err := n.client.CoreV1().Services(n.name).ProxyGet("http", "service-front", "80", "/",
			nil).DoRaw(t.Context())
		require.NoError(t, err)
		require.NotContains(t, string(answer), developerSays, "the origin answers")
		return string(answer)
	}
	require.Eventually(t, func() bool { ask(); return len(copies) > 0 }, time.Minute, pollEvery)
	require.NoError(t, server.Close())

	silent, err := net.Listen("tcp", listener.Addr().String()) // takes connections, and reads nothing
	require.NoError(t, err)
	defer silent.Close()
	for range 200 {
		ask()
	}
	d.stop()
	n.noAgents()
	n.asTraced(before)
}
