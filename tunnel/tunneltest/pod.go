package tunneltest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"sync"
	"time"
)

// dialTimeout bounds the dial to a backend, which is on this machine.
const dialTimeout = 5 * time.Second

// Pod is a running pod. Bytes are moved to and from its ports as containerd
// 1.6 does: when one direction has ended, the other gets one second, then both
// are closed. The end of the client's input is not carried over, so that a
// handler sees it only after that second, when its answer has no way back; and
// the client sees a handler's close a second late, unless it closes too.
type Pod struct {
	server          *Server
	namespace, name string

	mu       sync.Mutex
	backends map[int]backend // by port
	deleted  bool
	open     group // listeners, and both ends of connections
}

// backend is where a port leads.
type backend struct {
	addr     string       // "" if nobody serves the port
	listener net.Listener // nil if the backend is not ours
}

func newPod(s *Server, namespace, name string) *Pod {
	return &Pod{server: s, namespace: namespace, name: name, backends: map[int]backend{}}
}

// Serve gives every connection to port to handler, in a goroutine of its own,
// and closes it when handler returns. The connection is a *net.TCPConn. When
// the pod goes, it is closed under the handler, which must then return. A port
// served before is taken over.
func (p *Pod) Serve(port int, handler func(net.Conn)) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		p.server.t.Errorf("serve port %d of pod %s/%s: %v", port, p.namespace, p.name, err)
		return
	}
	if !p.open.add(listener) {
		listener.Close()
		return
	}
	p.setBackend(port, backend{listener.Addr().String(), listener})
	go func() {
		defer p.open.remove(listener)
		defer listener.Close()
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if !p.open.add(conn) {
				conn.Close()
				return
			}
			go func() {
				defer p.open.remove(conn)
				defer conn.Close()
				handler(conn)
			}()
		}
	}()
}

// Backend leads port to a server that stands elsewhere, such as an
// httptest.Server's listener. The caller keeps that server.
func (p *Pod) Backend(port int, addr string) { p.setBackend(port, backend{addr: addr}) }

// Refuse makes port one that nobody serves: the streams are accepted, then the
// error stream carries containerd's words for a refused connection. That is
// how every port starts. Connections that stand are not touched.
func (p *Pod) Refuse(port int) { p.setBackend(port, backend{}) }

func (p *Pod) setBackend(port int, b backend) {
	p.mu.Lock()
	before := p.backends[port]
	p.backends[port] = b
	p.mu.Unlock()
	if before.listener != nil {
		before.listener.Close()
	}
}

// Delete removes the pod: its connections are closed, requests for it are
// answered with 404, and new streams on port-forward connections that still
// stand get an error. Those connections themselves stay open, as in life.
func (p *Pod) Delete() {
	p.server.mu.Lock()
	if p.server.pods[p.key()] == p {
		delete(p.server.pods, p.key())
		p.server.gone = append(p.server.gone, p)
	}
	p.server.mu.Unlock()
	p.stop()
}

func (p *Pod) stop() {
	p.mu.Lock()
	p.deleted = true
	p.mu.Unlock()
	p.open.shut()
}

func (p *Pod) key() podName { return podName{p.namespace, p.name} }

// sandbox is the container runtime's name for the pod, as its errors show it.
func (p *Pod) sandbox() string {
	sum := sha256.Sum256([]byte(p.namespace + "/" + p.name))
	return hex.EncodeToString(sum[:])
}

// dial connects to a port as the container runtime does from inside the pod.
func (p *Pod) dial(port int32) (net.Conn, error) {
	p.mu.Lock()
	addr, deleted := p.backends[int(port)].addr, p.deleted
	p.mu.Unlock()
	if deleted {
		return nil, p.notFound()
	}
	if addr == "" {
		return nil, p.refused(port)
	}
	conn, err := net.DialTimeout("tcp", addr, dialTimeout)
	if err != nil {
		return nil, p.refused(port)
	}
	return conn, nil
}

// The errors below are containerd 1.6's, word for word.

func (p *Pod) notFound() error {
	return fmt.Errorf("failed to find sandbox %q in store: not found", p.sandbox())
}

func (p *Pod) refused(port int32) error {
	return p.executing(fmt.Errorf("failed to connect to localhost:%d inside namespace %q, "+
		"IPv4: dial tcp4 127.0.0.1:%[1]d: connect: connection refused "+
		"IPv6 dial tcp6: address localhost: no suitable address found ", port, p.sandbox()))
}

func (p *Pod) executing(err error) error {
	return fmt.Errorf("failed to execute portforward in network namespace %q: %w",
		"/var/run/netns/cni-"+p.sandbox()[:8], err)
}
