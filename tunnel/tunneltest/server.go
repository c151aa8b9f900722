package tunneltest

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

const (
	// token is what Config carries and the server asks for.
	token = "tunneltest"

	// closeTimeout bounds the wait for goroutines when the test ends.
	closeTimeout = 10 * time.Second
)

// Server is an API server that knows one thing: forwarding ports of pods. Its
// methods may be called at any time, from any goroutine.
type Server struct {
	t     testing.TB
	http  *httptest.Server
	valve *valve
	wires group // client connections, below TLS
	// forwards are the upgraded connections; httptest.Server does not wait
	// for their handlers.
	forwards group

	mu     sync.Mutex
	pods   map[podName]*Pod // those that exist
	gone   []*Pod           // deleted ones, whose handlers may still be running
	faults faults
	stats  Stats
}

type podName struct{ namespace, name string }

// NewServer starts a server on a loopback address, with TLS and a certificate
// authority of its own. It ends with the test, which fails if a handler given
// to Pod.Serve does not return once its connection is closed.
func NewServer(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, valve: newValve(), pods: map[podName]*Pod{}}

	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/namespaces/{namespace}/pods/{pod}/portforward", s.servePortForward)
	s.http = httptest.NewUnstartedServer(mux)
	s.http.Listener = &wireListener{Listener: s.http.Listener, valve: s.valve, wires: &s.wires}
	s.http.Config.ErrorLog = log.New(io.Discard, "", 0) // connections broken on purpose
	s.http.StartTLS()

	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Errorf("close port-forward server: %v", err)
		}
	})
	return s
}

// Config tells a client how to reach the server. The caller may change it.
func (s *Server) Config() *rest.Config {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.http.Certificate().Raw})
	return &rest.Config{
		Host:            s.http.URL,
		BearerToken:     token,
		TLSClientConfig: rest.TLSClientConfig{CAData: ca},
	}
}

// Pod adds a pod, running, with no port served yet. A pod of that name which
// exists is deleted first.
func (s *Server) Pod(namespace, name string) *Pod {
	if old, ok := s.lookup(namespace, name); ok {
		old.Delete()
	}
	pod := newPod(s, namespace, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pods[pod.key()] = pod
	return pod
}

func (s *Server) lookup(namespace, name string) (*Pod, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pod, ok := s.pods[podName{namespace, name}]
	return pod, ok
}

// close ends everything from the client's side inwards, and waits for it.
func (s *Server) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()

	s.wires.shut()
	s.mu.Lock()
	pods := append(slices.Collect(maps.Values(s.pods)), s.gone...)
	s.mu.Unlock()
	for _, pod := range pods {
		pod.stop()
	}
	s.forwards.shut()
	s.http.Close()

	for _, pod := range pods {
		if err := pod.open.wait(ctx); err != nil {
			return fmt.Errorf("wait for handlers of pod %s/%s: %w", pod.namespace, pod.name, err)
		}
	}
	if err := s.forwards.wait(ctx); err != nil {
		return fmt.Errorf("wait for port-forward connections: %w", err)
	}
	return nil
}
