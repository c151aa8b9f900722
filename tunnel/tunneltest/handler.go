package tunneltest

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/streaming/pkg/httpstream/wsstream"
)

// streamPairTimeout is how long the second stream of a pair may take. Kubelets
// allow 30 s; a test should not have to.
const streamPairTimeout = 5 * time.Second

// servePortForward does what lies between the API server's front door and the
// container runtime: authentication, the pod, then the upgrade.
func (s *Server) servePortForward(w http.ResponseWriter, r *http.Request) {
	s.count(func(st *Stats) { st.Requests++ })
	faults := s.faultsNow()

	if faults.unauthorized || r.Header.Get("Authorization") != "Bearer "+token {
		writeError(w, apierrors.NewUnauthorized("Unauthorized"))
		return
	}
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		writeError(w, apierrors.NewMethodNotSupported(schema.GroupResource{Resource: "pods/portforward"}, r.Method))
		return
	}
	pod, ok := s.lookup(r.PathValue("namespace"), r.PathValue("pod"))
	if !ok {
		writeError(w, apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, r.PathValue("pod")))
		return
	}

	if wsstream.IsWebSocketRequest(r) {
		switch {
		case faults.refuseWebSocket != 0:
			http.Error(w, "WebSocket is not allowed here", faults.refuseWebSocket)
		case !wsstream.IsWebSocketRequestWithTunnelingProtocol(r):
			http.Error(w, "only SPDY tunnelled through WebSocket is served here", http.StatusBadRequest)
		default:
			s.forward(&tunnelWriter{ResponseWriter: w, outer: r}, tunnelledRequest(r), pod,
				func(st *Stats) { st.WebSocket++ })
		}
		return
	}
	if faults.refuseSPDY != 0 {
		http.Error(w, "the proxy does not know this protocol", faults.refuseSPDY)
		return
	}
	s.forward(w, r, pod, func(st *Stats) { st.SPDY++ })
}

// forward serves one port-forward connection until it ends and its streams
// have.
func (s *Server) forward(w http.ResponseWriter, r *http.Request, pod *Pod, count func(*Stats)) {
	f := newForwarder(pod)
	if !s.forwards.add(f) {
		writeError(w, apierrors.NewServiceUnavailable("the server is closing"))
		return
	}
	defer s.forwards.remove(f)

	idle := s.faultsNow().idleTimeout
	if idle == 0 {
		idle = kubeletIdleTimeout
	}
	upgrade := &upgradeWriter{ResponseWriter: w, granted: func() {
		s.count(func(st *Stats) { count(st); st.Connections++ })
	}}
	portforward.ServePortForward(upgrade, r, f, pod.sandbox(), "", &portforward.V4Options{},
		idle, streamPairTimeout, portforward.SupportedProtocols)
	if upgrade.hijacked {
		s.count(func(st *Stats) { st.Connections-- })
	}
	_ = f.Close()
	select {
	case <-f.ended: // after the linger at most: its streams are gone
	case <-time.After(2 * containerdLinger): // save those described at gentleConn
	}
}

// upgradeWriter tells when the upgrade is granted: just before the client can
// know it, so that a test which sees a connection finds it counted.
type upgradeWriter struct {
	http.ResponseWriter
	granted  func()
	hijacked bool
}

func (w *upgradeWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	hijacker, ok := w.ResponseWriter.(http.Hijacker)
	if !ok {
		return nil, nil, errors.New("hijack connection: not supported")
	}
	w.hijacked = true
	w.granted()
	conn, rw, err := hijacker.Hijack()
	if err != nil {
		return nil, nil, err
	}
	gentle := &gentleConn{Conn: conn, input: rw.Reader}
	return gentle, bufio.NewReadWriter(bufio.NewReader(gentle), bufio.NewWriter(gentle)), nil
}

// writeError answers with a metav1.Status, as the API server does.
func writeError(w http.ResponseWriter, err *apierrors.StatusError) {
	status := err.Status()
	status.Kind, status.APIVersion = "Status", "v1"
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(status.Code))
	_ = json.NewEncoder(w).Encode(status) // the client may be gone
}
